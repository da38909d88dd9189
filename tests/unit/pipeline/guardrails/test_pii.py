"""What is personal data and what only looks like it, whole and in pieces."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.pii import checksums
from seekway.pipeline.guardrails.pii.detector import CATEGORIES, PiiDetector
from tests.unit.pipeline.guardrails.harmless_numbers import CHINESE, ENGLISH
from tests.unit.pipeline.guardrails.stream_scans import cut_texts, scanned_in_pieces

# Made up, or printed by the issuers as examples; nobody's.
_HELD = [
    *("我的电话是", "13800138000", "，", "邮箱", "zhang.wei@example.com", "身份证", "11010519491231002X", "订单号 "),
    *("+1 (415) 555-0132", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "京A·12345", "粤B", "12345", "我叫"),
    *(
        "张伟",
        "今年",
        "住在",
        "广东省深圳市",
        "南山区科技路",
        "12号",
        "3栋402室",
        "My name is ",
        "John ",
        "Smith",
        "1.2.3.4",
    ),
    *(
        "192.168.1.20",
        "AB 12 34 56 C",
        "00:1A:2B:3C:4D:5E",
        "fe80::1ff:fe23:4567:890a",
        "123-45-6789",
        "１３８",
        "\u200b",
    ),
    *(
        "王小明",
        "先生",
        "010-",
        "88888888",
        "微信号：",
        "abc_12345",
        "QQ ",
        "北京",
        "路",
        "Mr. ",
        "地址：",
        "出生于",
        "1990年1月2日",
        "March ",
        "27, 1959",
        "坐标",
        "-39.904200, 116.407396",
        "39°54'20\"N 116°",
        "742 Oak Avenue",
        ", Springfield, IL 62704",
        "GB82 WEST 1234 5698 7654 32",
        "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "单元",
        "负责人：",
        "-",
        ".",
        "@",
        "1234",
    ),
]


def _found(text: str, detector: PiiDetector | None = None) -> list[tuple[str, str]]:
    scan = (detector or PiiDetector()).scan(text, 0, final=True)
    assert scan.safe == len(text)
    return [(finding.category, text[finding.start : finding.end]) for finding in scan.findings]


@pytest.mark.parametrize(
    ("text", "category", "value"),
    [
        ("我的电话是13800138000请打", "phone", "13800138000"),
        ("拨打+86 138-0013-8000即可", "phone", "+86 138-0013-8000"),
        ("１３８００１３８０００", "phone", "１３８００１３８０００"),
        ("138\u200b0013\u200b8000", "phone", "138\u200b0013\u200b8000"),
        ("座机010-88888888转1", "phone", "010-88888888"),
        ("call +44 20 7946 0958 now", "phone", "+44 20 7946 0958"),
        ("(415) 555-0132", "phone", "(415) 555-0132"),
        ("身份证号11010519491231002X。", "id_card", "11010519491231002X"),
        ("身份证110105 19491231 002x", "id_card", "110105 19491231 002x"),
        ("卡号4111111111111111，", "bank_card", "4111111111111111"),
        ("card 4111-1111-1111-1111.", "bank_card", "4111-1111-1111-1111"),
        ("税号91350100M000100Y43。", "credit_code", "91350100M000100Y43"),
        ("护照E12345678已过期", "passport", "E12345678"),
        ("车牌京A·12345违章", "plate", "京A·12345"),
        ("沪AD12345", "plate", "沪AD12345"),
        ("寄到广东省深圳市南山区科技路12号3栋402室", "address", "广东省深圳市南山区科技路12号3栋402室"),
        ("请转到GB82 WEST 1234 5698 7654 32", "iban", "GB82 WEST 1234 5698 7654 32"),
        ("SSN: 123-45-6789", "ssn", "123-45-6789"),
        ("NI number AB 12 34 56 C", "national_id", "AB 12 34 56 C"),
        ("DNI 12345678Z", "national_id", "12345678Z"),
        ("Steuer-ID 86095742719", "national_id", "86095742719"),
        ("VAT no. DE123456789", "vat", "DE123456789"),
        ("邮箱zhang.wei@example.com请查收", "email", "zhang.wei@example.com"),
        ("给ｚｗ＠ｅｘａｍｐｌｅ．ｃｏｍ写信", "email", "ｚｗ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
        ("来自192.168.1.20的请求", "ip", "192.168.1.20"),
        ("from 2001:db8::8a2e:370:7334:", "ip", "2001:db8::8a2e:370:7334"),
        ("网卡00:1A:2B:3C:4D:5E", "mac", "00:1A:2B:3C:4D:5E"),
        ("出生日期1990-01-02", "birth_date", "1990-01-02"),
        ("QQ：123456789", "account", "123456789"),
        ("加微信 zw_2023x 聊", "account", "zw_2023x"),
        ("我叫张伟，今年三十", "name", "张伟"),
        ("王小明先生您好", "name", "王小明"),
        ("Hello, my name is John Smith and", "name", "John Smith"),
        ("负责人：李小红 日期", "name", "李小红"),
        ("身份证110105194\u200b91231002X", "id_card", "110105194\u200b91231002X"),
        ("电话86-13800138000", "phone", "86-13800138000"),
        ("US passport number: 512345678.", "passport", "512345678"),
        ("打开http://47.93.21.8:8080/看", "ip", "47.93.21.8"),
        ("加我qq123456789", "account", "123456789"),
        ("WeChat ID: zw_2023x", "account", "zw_2023x"),
        ("meine Steueridentifikationsnummer ist 86095742719", "national_id", "86095742719"),
        ("出生于1990年1月2日，", "birth_date", "1990年1月2日"),
        ("I was born on March 27, 1959 in", "birth_date", "March 27, 1959"),
        ("DOB: 04/02/2001", "birth_date", "04/02/2001"),
        ("GPS坐标39.904200,116.407396。", "coordinates", "39.904200,116.407396"),
        ("在39°54'20\"N 116°23'29\"E附近", "coordinates", "39°54'20\"N 116°23'29\"E"),
        ("转到1BoatSLRHtKNngkdXEeobR76b53LETtpyT地址", "wallet", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "wallet", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"),
        ("to 0x52908400098527886E0F7030069857D2E4169EE7.", "wallet", "0x52908400098527886E0F7030069857D2E4169EE7"),
        ("住世纪大道95号，寄到上海市浦东新区世纪大道95号2单元501", "address", "上海市浦东新区世纪大道95号2单元501"),
        ("I live at 742 Oak Avenue, Springfield, IL 62704.", "address", "742 Oak Avenue, Springfield, IL 62704"),
    ],
)
def test_each_kind_is_found_right_beside_other_text(text: str, category: str, value: str) -> None:
    assert (category, value) in _found(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "11010519491231002x0",
            "110105194912310021",
            "订单号13800138000",
            "4111111111111112",
            "138001380001",
            "v1.2.3.4",
        ),
        *("版本1.2.3.4", "1.2.3.4.5", "999.1.1.1", "DE88 3704 0044 0532 0130 00", "91350100M000100Y44", "000-12-3456"),
        *(
            "12:30:45",
            "2026-11-22",
            "a@b",
            "@示例",
            "各位先生",
            "北京是首都",
            "圆周率3.14159265358979",
            "1700000000000",
        ),
        *("1BoatSLRHtKNngkdXEeobR76b53LETtpyU", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "14.130448401"),
        *("Chapter 6.2.5.1", "section 14.2.15.31", "the vector 0.123456, 0.654321", "坐标轴x=12.5, y=33.25"),
        *(
            "Mr. President, the bill",
            "Dr. No was a film",
            "联系人管理功能",
            "phone sales grew from 5635515 to",
            "红球02 23 09 12 28 31",
        ),
        *("QQ plots show 12345 samples", "on March 27, 1959 the treaty", "2 Hard Drive bays", "成立于1990年1月2日"),
    ],
)
def test_what_only_looks_like_it_is_let_pass(text: str) -> None:
    assert _found(text) == []


@pytest.mark.parametrize("lines", [CHINESE, ENGLISH], ids=["zh", "en"])
def test_harmless_numbers_raise_no_false_alarm(lines: tuple[str, ...]) -> None:
    assert len(lines) >= 150
    alarms = [(line, found) for line in lines if (found := _found(line))]
    assert len(alarms) <= len(lines) * 0.005, alarms


@given(cut_texts(_HELD))
def test_a_stream_finds_what_the_whole_text_holds(example: tuple[str, list[int]]) -> None:
    text, cuts = example
    detector = PiiDetector()
    assert scanned_in_pieces(detector, text, cuts) == list(detector.scan(text, 0, final=True).findings)


@given(st.text(st.characters(), max_size=400))
def test_what_is_held_back_has_a_bound(text: str) -> None:
    assert len(text) - PiiDetector().scan(text, 0, final=False).safe <= 256


def test_prose_is_held_back_no_further_than_its_word() -> None:
    detector = PiiDetector(frozenset({"phone", "email"}))
    text = "The weather is fine and the"
    assert detector.scan(text, 0, final=False).safe == len(text) - 3
    assert detector.scan("今天天气很好，我们", 0, final=False).safe == 9


@pytest.mark.parametrize(
    "text",
    ["9" * 200_000, "a@" * 100_000, "1-" * 100_000, ":" * 200_000, "王" * 100_000, "\ud800" * 1000, "1 " * 100_000],
)
def test_long_and_broken_texts_are_looked_through(text: str) -> None:
    detector = PiiDetector()
    assert detector.scan(text, 0, final=True).safe == len(text)
    assert len(text) - detector.scan(text, 0, final=False).safe <= 256


def test_only_the_named_categories_are_looked_for() -> None:
    assert _found("13800138000 a@example.com", PiiDetector(frozenset({"email"}))) == [("email", "a@example.com")]
    with pytest.raises(ConfigError, match="shoe_size"):
        PiiDetector(frozenset({"shoe_size"}))
    assert "phone" in CATEGORIES


def test_one_changed_digit_breaks_each_check() -> None:
    checks = {
        checksums.luhn: "4111111111111111",
        checksums.chinese_id: "11010519491231002X",
        checksums.credit_code: "91350100M000100Y43",
        checksums.iban: "GB82WEST12345698765432",
        checksums.spanish_dni: "12345678Z",
        checksums.german_tax_id: "86095742719",
        checksums.french_insee: "255081416802538",
    }
    chance = random.Random(1)
    for check, number in checks.items():
        assert check(number)
        for _ in range(20):
            place = chance.randrange(1, 6) if check is checksums.spanish_dni else chance.randrange(8)
            if not number[place].isdigit():
                continue
            other = str((int(number[place]) + chance.randrange(1, 9)) % 10)
            changed = number[:place] + other + number[place + 1 :]
            assert changed == number or not check(changed), (check, changed)
