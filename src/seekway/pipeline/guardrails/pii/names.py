"""Names of people, where a word beside them says that they are one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seekway.pipeline.guardrails.pii.window import Found, Window
from seekway.pipeline.guardrails.rules.linear_pattern import LinearPattern

_SURNAMES: Final = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾萧肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付傅方邹熊白孟秦邱侯江尹薛阎段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文樊兰殷施洪翟安颜倪牛温芦季俞章鲁葛伍申尤毕聂柴焦齐梅庄辛管祝左涂谷祁时舒耿卜路詹凌童宁柯阮欧司诸闵解丛柳岳蓝裴"
    "張劉陳楊黃趙吳孫馬羅鄭謝許韓鄧馮蕭葉蘇呂盧鐘譚陸賈鄒閻龍黎陶賀顧龔萬錢嚴湯喬賴蘭齊莊聶"
)
_COMPOUND: Final = (
    "欧阳",
    "歐陽",
    "司马",
    "司馬",
    "上官",
    "诸葛",
    "諸葛",
    "皇甫",
    "东方",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "夏侯",
)
_BEFORE: Final = (
    "姓名",
    "名字是",
    "名字叫",
    "我叫",
    "联系人",
    "聯絡人",
    "收件人",
    "收货人",
    "持卡人",
    "户主",
    "患者",
    "投保人",
    "申请人",
)
_FORMS: Final = tuple(
    word + sign
    for word in (
        "法定代表人",
        "法人代表",
        "负责人",
        "经办人",
        "寄件人",
        "发件人",
        "收款人",
        "付款人",
        "户名",
        "开户名",
        "监护人",
        "签名",
        "乘客",
    )
    for sign in ("：", ":")
)
"""Words that speak of tasks as well: only a form's field is followed by a name."""
_TITLES: Final = ("先生", "女士", "小姐", "太太")
# What follows a name more often than it is the last of its characters.
_NOT_NAME: Final = frozenset(
    "的是在了和与及今来住从要想有电手，。、也就都已为去说问请于现年性男女我你他她它这那不很把被给对向跟"
)
_NOT_NAMES: Final = frozenset(
    [
        "管理",
        "方式",
        "方法",
        "方便",
        "方向",
        "高级",
        "高度",
        "金额",
        "钱包",
        "时间",
        "安全",
        "程序",
        "程度",
        "马上",
        "白天",
        "白色",
        "左右",
        "向导",
        "路径",
        "路由",
        "常用",
        "常见",
        "任务",
        "任意",
        "任何",
        "成功",
        "成员",
        "包括",
        "包含",
        "项目",
        "应该",
        "应用",
        "关系",
        "关于",
        "连接",
        "平台",
        "平均",
        "全部",
        "解释",
        "于是",
        "温度",
        "单位",
        "万一",
        "和平",
        "毛病",
        "周末",
        "水平",
        "何时",
        "何地",
        "何种",
        "解决",
        "许可",
        "江湖",
        "黄金",
        "严格",
        "宁可",
        "尤其",
        "乔迁",
        "文件",
        "易错",
        "顾客",
        "房间",
        "祝福",
        "时候",
        "计划",
        "明确",
        "梅花",
        "邮箱",
        "纪录",
    ]
)
_NO_PERSON: Final = frozenset(
    b"President Speaker Chairman Chairwoman Chair Minister Secretary Vice Prime No Right Wrong The Who And Or But Not In On For Of It This That We He She You They If When".split()
)
_BETWEEN: Final = frozenset("：: 是为叫\u3000\t")
_MOST_BETWEEN: Final = 3
_LONGEST_CHINESE: Final = 4

# Titles as they are spelled: ``ms`` is a thousandth of a second, MS a maker of software.
_ENGLISH: Final = LinearPattern(
    "\\b(?:(?i:my name is |my name's |(?:full |customer |patient )?name: ?|i am called )|(?:Mr|Mrs|Ms|Miss|Dr|Prof)\\.? )"
)
_FIELD: Final = b"name:"
_LONGEST_CUE: Final = 16
CUES: Final = (
    *_BEFORE,
    *_FORMS,
    *_TITLES,
    "name",
    "Name",
    "NAME",
    "called",
    "Mr",
    "Ms",
    "Dr",
    "Miss",
    "Prof",
)
"""Without one of these, or one of :data:`ANY_CASE`, there is nothing to find here."""
ANY_CASE: Final = ("name", "called")
_ENGLISH_TITLES: Final = (b"Mr", b"Ms", b"Dr", b"Miss", b"Prof")
_LONGEST_ENGLISH: Final = 48
_MOST_WORDS: Final = 3


def has_disguised_cue(window: Window, begin: int) -> bool:
    """Whether a word that an English name may follow stands after ``begin`` in full width."""
    if window.plain:
        return False
    folded = window.folded[begin:]
    lower = folded.lower()
    return b"name" in lower or b"called" in lower or any(title in folded for title in _ENGLISH_TITLES)


def names(window: Window) -> Iterator[Found]:
    if not window.text.isascii():
        yield from _chinese(window)
    yield from _english(window)


def held(window: Window) -> int:
    """Where the longest end of the text begins that may still become a name."""
    size = len(window.text)
    if (begin := held_surname(window.text)) < size:
        return begin
    low = max(0, size - _LONGEST_ENGLISH - _LONGEST_CUE - 2)
    for _, end in _ENGLISH.all(window.folded[low:], 0):
        if _english_end(window.folded, low + end, cut=True) >= size:
            return low + end
    return size


def held_surname(text: str) -> int:
    """Where a surname begins at the end of the text, with so few characters after it that a title may follow."""
    size = len(text)
    for back in range(min(_LONGEST_CHINESE + 1, size), 0, -1):
        if text[size - back] in _SURNAMES and all(_is_han(char) for char in text[size - back :]):
            return size - back
    return size


def _chinese(window: Window) -> Iterator[Found]:
    text = window.text
    low = max(0, window.start - _LONGEST_CUE)
    for cue in (*_BEFORE, *_FORMS):
        at = text.find(cue, low)
        while at >= 0:
            begin = at + len(cue)
            most = begin + _MOST_BETWEEN
            while begin < len(text) and begin < most and text[begin] in _BETWEEN:
                begin += 1
            end = _name_end(text, begin)
            if end:
                yield Found("name", "medium", begin, end, "cn_name_cue", 0.8)
            at = text.find(cue, at + 1)
    for title in _TITLES:
        at = text.find(title, low)
        while at >= 0:
            # The longest that is a name: two or three characters, or the surname alone.
            for size in (4, 3, 2, 1):
                begin = at - size
                if begin >= 0 and _may_be_name(text[begin:at]):
                    yield Found("name", "low", begin, at, "cn_name_title", 0.7)
                    break
            at = text.find(title, at + 1)


def _may_be_name(text: str) -> bool:
    if text.startswith(_COMPOUND):
        return len(text) <= 4 and all(_is_han(char) for char in text)
    return len(text) <= 3 and text[0] in _SURNAMES and all(_is_han(c) and c not in _NOT_NAME for c in text[1:])


def _name_end(text: str, begin: int) -> int:
    """Where the name that begins there ends; 0 where none does. Two given characters are taken unless the second ends no name."""
    size = 2 if text.startswith(_COMPOUND, begin) else 1
    if size == 1 and (begin >= len(text) or text[begin] not in _SURNAMES):
        return 0
    if text[begin : begin + 2] in _NOT_NAMES:
        return 0
    end = begin + size
    while end < len(text) and end < begin + size + 2 and _is_han(text[end]) and text[end] not in _NOT_NAME:
        end += 1
    return end if end > begin + size else 0


def _english(window: Window) -> Iterator[Found]:
    low = max(0, window.start - _LONGEST_CUE - 2)
    for cue, begin in _ENGLISH.all(window.folded, low):
        end = _english_end(window.folded, begin)
        words = window.folded[begin:end].split()
        # A field of one word is a program's more often than a person's.
        least = 2 if window.folded[cue:begin].lower().startswith(_FIELD) else 1
        if end > begin + 1 and len(words) >= least and words[0] not in _NO_PERSON:
            yield Found("name", "medium", begin, end, "en_name_cue", 0.8)


def _english_end(folded: bytes, begin: int, *, cut: bool = False) -> int:
    """The end of at most three words with a capital first, initials among them; with ``cut``, of what may become that."""
    end, place = begin, begin
    for _ in range(_MOST_WORDS):
        if place >= len(folded):
            return place if cut else end
        if not 0x41 <= folded[place] <= 0x5A:
            break
        while (
            place < len(folded)
            and place - begin < _LONGEST_ENGLISH
            and (folded[place : place + 1].isalpha() or folded[place] in b"'-")
        ):
            place += 1
        end = place
        if (
            place < len(folded)
            and folded[place] == 0x2E
            and place - begin >= 1
            and folded[place - 2 : place - 1] in (b" ", b"")
        ):
            place += 1
        if place < len(folded) and folded[place] == 0x20:
            place += 1
        elif place < len(folded):
            break
    return place if cut and place >= len(folded) else end


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"
