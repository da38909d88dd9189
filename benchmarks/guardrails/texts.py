"""What is timed: a kilobyte of harmless text, the same with listed terms and personal data in it, and 50,000 words."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from importlib import resources

from seekway.pipeline.guardrails.evaluation import BENIGN, Example, read_examples

KILOBYTE = 1024
LANGUAGES = ("en", "zh")
_SYLLABLES = ("ba", "ke", "lo", "mi", "tu", "zar", "ven", "dor", "qui", "nex", "pla", "tro", "shu", "gri", "fon", "wex")
_HAN = "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴切"


def harmless(language: str) -> list[Example]:
    """The bundled harmless texts."""
    path = resources.files("seekway.pipeline.guardrails.samples").joinpath(f"benign-{language}.jsonl")
    return [one for one in read_examples(path.read_bytes().splitlines(), path.name) if one.label == BENIGN]


def kilobytes(hits: Sequence[str]) -> dict[str, str]:
    """By name, each of 1,024 bytes of UTF-8, less the rest of a character; ``hits`` are put into copies of them."""
    chance = random.Random("kilobytes")
    lines = {
        language: [one.text for one in harmless(language) if one.part == "input" and len(one.text) > 20]
        for language in LANGUAGES
    }
    both = [line for pair in zip(lines["en"], lines["zh"], strict=False) for line in pair]
    made: dict[str, str] = {}
    for name, source in (("English", lines["en"]), ("Chinese", lines["zh"]), ("mixed", both)):
        chosen = chance.sample(source, 40)
        made[name] = _kilobyte(chosen)
        made[f"{name}, with hits"] = _kilobyte(_with(chosen, hits))
    return made


def _with(lines: Sequence[str], hits: Iterable[str]) -> list[str]:
    """A hit after every second line, so that the kilobyte holds some."""
    mixed = list(lines)
    for place, hit in enumerate(hits):
        mixed.insert(3 * place + 2, hit)
    return mixed


def _kilobyte(lines: Sequence[str]) -> str:
    return "\n".join(lines).encode()[:KILOBYTE].decode(errors="ignore")


def made_up_words(count: int) -> list[str]:
    """Half of them Latin, half Chinese; none is one character away from sense, so that hits come from the lists alone."""
    chance = random.Random("words")
    words: dict[str, None] = {}
    while len(words) < count:
        if len(words) % 2:
            words["".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(3, 6)))] = None
        else:
            words["".join(chance.choice(_HAN) for _ in range(chance.randint(3, 6)))] = None
    return list(words)
