"""Makes the folding table and the lexicon that ship with the weights."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import numpy as np

from seekway.pipeline.guardrails.classifier.features import LONGEST_PHRASE, Hashes, phrase_hashes, tokenise
from seekway.pipeline.guardrails.classifier.folding import TABLE_SIZE, Codes, Folding

INVISIBLE = frozenset({"Cf", "Mn", "Me", "Cc", "Cs", "Co"})
DROPPED = "'’‘ʼ´`"
LOOKALIKES = dict(
    zip(
        "аеорсухівјѕԁһԛԝкмнтАВЕКМНОРСТУХαβεικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɑɡɩꞵℓ∣",
        "aeopcyxibjsdhqwkmhtabekmhopctyxabeiknoptuxwabezhikmnoptyxiagiblI".lower(),
        strict=False,
    )
)


def make_read_as(simplified: dict[str, str]) -> Codes:
    """What every code point is read as; ``simplified`` gives the simplified form of a traditional character."""
    table = np.zeros(TABLE_SIZE, np.uint32)
    for code in range(TABLE_SIZE):
        table[code] = _read_as(chr(code), simplified)
    table[TABLE_SIZE - 1] = 0x20
    return table


def _read_as(char: str, simplified: dict[str, str]) -> int:
    code = ord(char)
    if char in "\t\n\r\x0b\x0c" or char.isspace():
        return 0x20
    if 0xE0020 <= code <= 0xE007E:
        return ord(chr(code - 0xE0000).lower())
    if char in DROPPED or unicodedata.category(char) in INVISIBLE:
        return 0
    if char in LOOKALIKES:
        return ord(LOOKALIKES[char])
    if char == "｜":
        return ord("|")
    if 0xAC00 <= code <= 0xD7A3:
        return code
    plain = [part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) not in INVISIBLE]
    if not plain:
        return 0
    first = plain[0].lower()[:1] if plain[0] not in LOOKALIKES else LOOKALIKES[plain[0]]
    if first.isspace():
        first = plain[1].lower()[:1] if len(plain) > 1 else " "
    return ord(simplified.get(first, first))


def read_simplified(path: Path) -> dict[str, str]:
    """Pairs of OpenCC's table of characters: the traditional one, a tab, its simplified forms."""
    pairs: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) == 2 and len(parts[0]) == 1 and len(parts[1].split()[0]) == 1:
            pairs[parts[0]] = parts[1].split()[0]
    return pairs


def _inflected(word: str) -> list[str]:
    if not word.endswith("+"):
        return [word]
    plain = word[:-1]
    stem = plain[:-1] if plain.endswith("e") else plain
    doubled = stem + stem[-1] if stem[-1] in "tpgnbr" else stem
    return [plain, plain + "s", plain + "es", stem + "ed", stem + "ing", doubled + "ed", doubled + "ing"]


def read_lexicon(path: Path) -> list[list[str]]:
    """The phrases of each concept, in the order of the file."""
    concepts: list[list[str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
            concepts.append([])
        elif "|" in line:
            concepts[-1].extend(line.split("|"))
        else:
            concepts[-1].extend(form for word in line.split() for form in _inflected(word))
    return concepts


def make_lexicon(
    concepts: list[list[str]], folding: Folding
) -> tuple[Hashes, np.ndarray[tuple[int], np.dtype[np.uint16]]]:
    """Sorted hashes of all phrases and the concept of each; of a phrase in two concepts, the first counts."""
    found: dict[int, int] = {}
    for number, phrases in enumerate(concepts, start=1):
        for phrase in phrases:
            tokens = tokenise(folding.fold(phrase))
            length = min(len(tokens.hashes), LONGEST_PHRASE)
            if length == 0:
                print(f"guard_training: '{phrase}' has no tokens", file=sys.stderr)
                continue
            found.setdefault(int(phrase_hashes(tokens.hashes[:length])[length - 1][0]), number)
    hashes = np.array(sorted(found), np.uint64)
    return hashes, np.array([found[int(value)] for value in hashes], np.uint16)
