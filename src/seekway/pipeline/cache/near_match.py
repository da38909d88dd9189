"""Whether two questions that lie near each other as vectors may share an answer, judged by their words.

Vectors alone cannot tell: for multilingual-e5-small "convert dollars to euros" and "convert euros to dollars" have a cosine of 0.999,
"with alcohol" and "without alcohol" 0.983, while true paraphrases often lie at 0.96. So the words have a veto.
English and Chinese fillers are known; in other languages every word counts, which can only turn a hit into a miss.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final, Literal

Guard = Literal["words", "numbers"]

MOST_CHARACTERS: Final = 2000
"""A longer question is a document; two of those are never the same by their vectors."""

_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2019: 0x27}
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN: Final = re.compile(
    rf"\d+(?:[.,:]\d+)+|[^\W_{_HAN}]+(?:'[^\W_{_HAN}]+)*|[{_HAN}]|[^\w\s.,;:!?'\"()\[\]{{}}、。，；：！？“”‘’（）【】《》…·]"
)
_PHRASES: Final = {
    # What is read as one word before the rest is read word by word, or in Chinese letter by letter. The value is what it counts as.
    "我想知道": "",
    "请告诉我": "",
    "告诉我": "",
    "请问一下": "",
    "请问": "",
    "麻烦": "",
    "你好": "",
    "您好": "",
    "多长时间": "多久",
    "什么时候": "何时",
    "什么时间": "何时",
    "为什么": "为何",
    "怎么样": "怎样",
    "怎么": "如何",
    "怎样": "如何",
    "哪里": "哪",
    "哪儿": "哪",
    "可以": "能",
    "能够": "能",
    "您": "你",
    "请": "",
    "吗": "",
    "呢": "",
    "啊": "",
    "呀": "",
    "吧": "",
    "的": "",
    "在": "",
    "can you tell me": "",
    "could you tell me": "",
    "please tell me": "",
    "tell me": "",
    "do you know": "",
    "i want to know": "",
    "i would like to know": "",
    "how do i": "how",
    "how can i": "how",
    "how could i": "how",
    "how should i": "how",
    "how do you": "how",
    "how can you": "how",
    "how do we": "how",
    "how can we": "how",
    "how to": "how",
}
_PHRASE: Final = re.compile(
    "|".join(rf"\b{p}\b" if p.isascii() else p for p in sorted(_PHRASES, key=len, reverse=True)), re.IGNORECASE
)
# Words that stand for no thing and no relation; pronouns and tenses are not among them ("can I trust you" is not "can you trust me").
_FILLER_WORDS: Final = "a an the please pls hi hello hey kindly do does is are am be it it's also of to"
_FILLERS: Final = frozenset(_FILLER_WORDS.split())
_SAME: Final = {
    "what's": "what",
    "where's": "where",
    "who's": "who",
    "how's": "how",
    "which": "what",
    "could": "can",
    "may": "can",
    "i'd": "i",
    "i'm": "i",
    "cannot": "not",
    "can't": "not",
    "don't": "not",
    "doesn't": "not",
    "isn't": "not",
    "aren't": "not",
    "no": "not",
}
_MARKED_WORDS: Final = (
    "not without with before after above below over under more less most least max min maximum minimum first second third last "
    "next previous enable disable open close start stop install uninstall add remove buy sell increase decrease legal illegal "
    "allow forbid on off in out up down within until since was were will had has one two three four five six seven eight nine "
    "ten eleven twelve fifteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half double "
    "day week month year hour minute today tomorrow yesterday adult adults child children male female man woman for from "
    "不 没 无 非 未 别 勿 否 一 二 三 四 五 六 七 八 九 十 百 千 万 亿 两 半 前 后 内 外 上 下 大 小 多 少 高 低 增 减 加 开 关 "
    "年 月 日 周 天 时 分 秒 男 女 买 卖 进 出 今 明 昨 对"
)
_MARKED: Final = frozenset(_MARKED_WORDS.split())


def words(text: str) -> tuple[str, ...]:
    """The words that carry the meaning, in order; fillers gone and spellings made one, Chinese letter by letter."""
    text = _PHRASE.sub(_phrase, text.translate(_FULL_WIDTH))
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        written = match.group()
        # In capitals it is a name: vitamin A, the US, IT.
        if written == "A" or (len(written) > 1 and written.isupper() and written.isalpha()):
            found.append(written)
            continue
        word = written.casefold()
        if word in _FILLERS:
            continue
        word: str = _SAME.get(word, word)
        found.append(word.replace(",", "") if word[0].isdigit() else word)
    return tuple(found)


def may_share(asked: tuple[str, ...], known: tuple[str, ...], guard: Guard) -> bool:
    """Whether two questions' :func:`words` allow one answer for both.

    ``words``: the same words in the same order. ``numbers``: paraphrases too, as long as numbers, negations, opposites, times
    and the words with a digit or symbol in them are the same in the same order; names that differ are then not seen.
    """
    if asked == known:
        return bool(asked)
    if guard == "words":
        return False
    marks = [[word for word in side if _is_marked(word)] for side in (asked, known)]
    if marks[0] != marks[1]:
        return False
    # The same words in another order are another question: "dollars to euros", "the dog bites the man".
    return Counter(asked) != Counter(known)


def _phrase(match: re.Match[str]) -> str:
    # A letter such as the long s matches in another case than it folds to.
    return f" {_PHRASES.get(match[0].casefold(), match[0])} "


def _is_marked(word: str) -> bool:
    return word in _MARKED or not word.isalpha()
