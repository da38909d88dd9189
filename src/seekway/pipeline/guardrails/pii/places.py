"""Chinese addresses: a region, then its parts, a road and a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seekway.pipeline.guardrails.pii.window import Found, Window

_REGIONS: Final = frozenset(
    {
        *(
            "北京",
            "上海",
            "天津",
            "重庆",
            "河北",
            "山西",
            "内蒙古",
            "辽宁",
            "吉林",
            "黑龙江",
            "江苏",
            "浙江",
            "安徽",
            "福建",
            "江西",
        ),
        *(
            "山东",
            "河南",
            "湖北",
            "湖南",
            "广东",
            "广西",
            "海南",
            "四川",
            "贵州",
            "云南",
            "西藏",
            "陕西",
            "甘肃",
            "青海",
            "宁夏",
        ),
        *(
            "新疆",
            "台湾",
            "香港",
            "澳门",
            "广州",
            "深圳",
            "杭州",
            "南京",
            "苏州",
            "武汉",
            "成都",
            "西安",
            "长沙",
            "郑州",
            "青岛",
        ),
        *(
            "厦门",
            "宁波",
            "无锡",
            "佛山",
            "东莞",
            "合肥",
            "福州",
            "济南",
            "沈阳",
            "大连",
            "哈尔滨",
            "长春",
            "昆明",
            "南昌",
            "南宁",
        ),
    }
)
_FIRST: Final = frozenset(region[0] for region in _REGIONS)
_LONGEST_REGION: Final = max(map(len, _REGIONS))
_REGION_BEGINNINGS: Final = frozenset(region[:size] for region in _REGIONS for size in range(1, len(region)))
_CUES: Final = ("地址：", "地址:", "地址是", "住址：", "住址:", "住在", "收货地址", "家住", "寄到", "送到")
_PARTS: Final = frozenset("省市区县旗州盟镇乡村道街路巷弄里园苑城座栋楼号室层单元小厦庄屯组")
_ROADS: Final = frozenset("路街道巷弄村里园苑庄屯区厦")
_NUMBERS: Final = frozenset("0123456789０１２３４５６７８９一二三四五六七八九十百-－甲乙丙A BCD")
_ENDS: Final = frozenset("号號室栋幢楼层弄座")
CUES: Final = tuple(sorted(_ENDS))
"""Without one of these there is nothing to find here."""
REGIONS: Final = tuple(sorted(_REGIONS))
"""With one of these an address begins."""
BEFORE: Final = _CUES
"""Behind one of these an address may begin."""
_LONGEST_PART: Final = 9
LONGEST: Final = 60


def places(window: Window) -> Iterator[Found]:
    text = window.text
    taken = -1
    for run, stop in _runs(text, window.start):
        for begin in _beginnings(text, run, stop):
            end = _address(text, begin)[0] if begin >= taken else 0
            if end:
                taken = end
                yield Found("address", "medium", begin, end, "cn_address", 0.9)


def held(text: str) -> int:
    """Where an address begins that what follows may make or lengthen."""
    size = len(text)
    run = _run_begin(text, size)
    for begin in _beginnings(text, run, size):
        if _address(text, begin)[1] >= size:
            return begin
    return held_region(text)


def held_region(text: str) -> int:
    """Where the first characters of a region's name stand at the end of the text."""
    size = len(text)
    for back in range(min(_LONGEST_REGION - 1, size), 0, -1):
        tail = text[size - back :]
        if tail in _REGION_BEGINNINGS:
            return size - back
    return size


def _runs(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The stretches that hold a number's word, each from where nothing but an address's characters follow."""
    ends = sorted({at for word in _ENDS for at in _all(text, word, start)})
    for at in ends:
        if text[at - 1 : at] in _NUMBERS and at:
            yield _run_begin(text, at), at


def _run_begin(text: str, end: int) -> int:
    place, floor = end, max(0, end - LONGEST)
    while place > floor and ("\u4e00" <= text[place - 1] <= "\u9fff" or text[place - 1] in _NUMBERS):
        place -= 1
    return place


def _beginnings(text: str, run: int, stop: int) -> list[int]:
    """Where regions begin in the stretch, and where words end that say that an address comes."""
    found = [
        at
        for at in range(run, stop)
        if text[at] in _FIRST and (text[at : at + 2] in _REGIONS or text[at : at + 3] in _REGIONS)
    ]
    before = text[max(0, run - 5) : stop]
    for cue in _CUES:
        at = before.find(cue)
        while at >= 0:
            begin = max(0, run - 5) + at + len(cue)
            if run <= begin < stop or (begin == stop == len(text)):
                found.append(begin)
            at = before.find(cue, at + 1)
    return sorted(found)


def _all(text: str, word: str, start: int) -> Iterator[int]:
    at = text.find(word, start)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _address(text: str, begin: int) -> tuple[int, int]:
    """Where the address that begins there ends, 0 where none does, and how far was looked.

    Each part is at most nine characters to the one that says what it is (``市``, ``路``); one road and one number make an address.
    """
    place, last, road, end = begin, begin, False, 0
    limit = min(len(text), begin + LONGEST)
    while place < limit and place - last <= _LONGEST_PART:
        char = text[place]
        if (char in _ENDS and place > begin and text[place - 1] in _NUMBERS and road) or (
            end and char == "元" and text[place - 1] == "单"
        ):
            end = last = place + 1
        elif char in _PARTS:
            road = road or char in _ROADS
            last = place + 1
        elif not ("\u4e00" <= char <= "\u9fff" or char in _NUMBERS):
            break
        place += 1
    # A room's number may end an address without a word.
    if end and end < limit:
        room = end
        while room < limit and text[room].isdigit() and room - end < 6:
            room += 1
        end = room
    return end, max(place, end)
