"""Files of every kind become text, titles and pages, in Chinese and English."""

from __future__ import annotations

from datetime import date
from email.message import EmailMessage

import pytest

from seekway.core.errors import DocumentUnreadable
from seekway.knowledge.parsing.parse import parse
from seekway.knowledge.parsing.parsed import Bounds, Parsed
from tests.fakes import office_files

_SENTENCE = "退货政策适用于七天内的订单，请保留发票。Returns within seven days."
_TRADITIONAL = "退貨政策適用於七天內的訂單，請保留發票。"


def _titles(parsed: Parsed) -> list[tuple[int, str]]:
    for heading in parsed.headings:
        assert parsed.text[heading.start :].lstrip("# ").startswith(heading.text)
    return [(heading.level, heading.text) for heading in parsed.headings]


def _pages(parsed: Parsed) -> list[tuple[str, str]]:
    return [(page.name, parsed.text[page.start : page.end]) for page in parsed.pages]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        *((encoding, _SENTENCE) for encoding in ("utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk")),
        *((encoding, _SENTENCE) for encoding in ("utf-16-le", "utf-16-be")),
        *((encoding, _TRADITIONAL) for encoding in ("utf-8", "big5", "gb18030", "utf-16-be", "utf-32")),
        ("cp1252", "Café déjà vu – naïve, für die Straße."),
        ("shift_jis", "これは日本語の文章です。返品は七日以内にお願いします。"),
        ("euc_kr", "반품은 칠일 이내에 가능합니다. 영수증을 보관하세요."),
        ("ascii", "plain"),
    ],
)
def test_text_in_any_usual_encoding_is_read(encoding: str, text: str) -> None:
    assert parse(text.encode(encoding), "a.txt").text == text


def test_a_broken_byte_spoils_no_more_than_itself() -> None:
    data = (_SENTENCE * 20).encode()[:-5] + b"\xff"
    assert parse(data, "a.txt").text.startswith(_SENTENCE * 19)


def test_markdown_keeps_its_text_and_notes_its_titles() -> None:
    text = "# 手册\n\n简介\n\n```\n# no title\n```\n\n退货\n---\n\n## Exchange ##\n#no\n"
    parsed = parse(text.encode(), "a.md")
    assert parsed.text == text.strip("\n")
    assert [(one.level, one.text) for one in parsed.headings] == [(1, "手册"), (2, "退货"), (2, "Exchange")]
    assert parsed.title == "手册"


def test_html_is_what_a_reader_sees() -> None:
    page = (
        "<html><head><title>退货 政策</title><style>x</style></head><body><nav>menu</nav><h1>标题</h1>"
        "<p>a<b>b</b> c<br>d</p><div hidden>no</div><ul><li>one<li>two</ul>"
        "<table><tr><th>项目<th>b</tr><tr><td>1<td>2|3</table><pre>x\n  y</pre><script>z</script></body></html>"
    )
    parsed = parse(page.encode(), "a.html")
    assert parsed.title == "退货 政策"
    assert _titles(parsed) == [(1, "标题")]
    assert parsed.text == (
        "# 标题\n\nab c\nd\n\n- one\n\n- two\n\n| 项目 | b |\n| --- | --- |\n| 1 | 2\\|3 |\n\n```\nx\n  y\n```"
    )


def test_html_is_read_as_it_says_it_is_encoded() -> None:
    page = f'<meta charset="gb2312"><p>{_SENTENCE}</p>'
    assert parse(page.encode("gbk"), "a.htm").text == _SENTENCE


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_a_table_and_pairs(delimiter: str) -> None:
    data = f'问题{delimiter}答案\n怎么退货？{delimiter}"七天内,\n可以"\n只有问题{delimiter}\n'.encode("gb18030")
    parsed = parse(data, "a.csv")
    assert parsed.text == "| 问题 | 答案 |\n| --- | --- |\n| 怎么退货？ | 七天内, 可以 |\n| 只有问题 |  |"
    assert parsed.pairs == (("怎么退货？", "七天内,\n可以"),)


def test_mail_is_its_subject_people_and_text() -> None:
    message = EmailMessage()
    message["Subject"] = "退货申请"
    message["From"] = "王小明 <wang@example.com>"
    message.set_content("您好，我要退货。")
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="发票.pdf")
    parsed = parse(message.as_bytes(), "a.eml")
    assert parsed.title == "退货申请"
    assert parsed.text.startswith("# 退货申请\n\nFrom: 王小明 <wang@example.com>\n\n您好，我要退货。")
    assert parsed.text.endswith("Attachments: 发票.pdf")
    assert "html" not in parsed.text


@pytest.mark.parametrize("font", ["STSong-Light", "MSung-Light"])
def test_pdf_has_its_pages(font: str) -> None:
    lines = [_TRADITIONAL, "Second line."]
    parsed = parse(office_files.pdf([lines, ["第二页"]], font=font), "报告.pdf")
    assert _pages(parsed) == [("1", "\n".join(lines)), ("2", "第二页")]
    assert parsed.title == "报告"


def test_word_has_titles_tables_and_lists() -> None:
    parsed = parse(office_files.word(), "a.docx")
    assert _titles(parsed) == [(1, "员工手册"), (1, "第一章 入职"), (2, "Travel")]
    assert "入职当天请带身份证。\n\n| 项目 | 金额 |\n| --- | --- |\n| 差旅 | 300\\|元 |\n\n## Travel" in parsed.text
    assert parsed.text.endswith("- Book early.")


def test_sheets_are_pages_with_tables() -> None:
    data = office_files.sheet(
        {
            "价格": [["商品", "价格", "日期"], ["苹果", 3.5, date(2026, 1, 2)], [None, None, None], ["梨", 2, None]],
            "空": [],
        }
    )
    parsed = parse(data, "a.xlsx")
    table = "| 商品 | 价格 | 日期 |\n| --- | --- | --- |\n| 苹果 | 3.5 | 2026-01-02 |\n| 梨 | 2 |  |"
    assert _pages(parsed) == [("价格", f"# 价格\n\n{table}")]
    assert parsed.pairs[1] == ("苹果", "3.5")


def test_slides_are_pages_with_titles_and_notes() -> None:
    parsed = parse(office_files.slides(), "a.pptx")
    assert _pages(parsed) == [("1", "# 季度总结\n\n销售额增长\n成本下降\n\n备注内容"), ("2", "# 展望\n\n明年")]


def test_the_kind_is_told_by_content_where_the_name_says_nothing() -> None:
    assert parse(office_files.word(), "upload").title == "员工手册"
    assert parse(office_files.pdf([["第一页"]]), "report.txt").text == "第一页"
    assert parse(b"<!DOCTYPE html><p>x</p>", "upload").text == "x"
    assert parse(b"# T", "upload", "text/markdown; charset=utf-8").title == "T"


def _locked() -> bytes:
    return office_files.pdf([["x"]], password="secret")


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.txt", "empty"),
        (b" \n ", "a.txt", "no text"),
        (bytes(range(256)) * 8, "a.bin", "neither text"),
        (b"%PDF-1.7 broken", "a.pdf", "broken"),
        (_locked(), "a.pdf", "password"),
        (office_files.pdf([[]]), "a.pdf", "text recognition"),
        (b"PK\x03\x04 broken", "a.docx", "broken"),
        (office_files.word()[:-400], "a.docx", "broken"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "a.docx", "password"),
        (office_files.archive({"x": b""}), "a.docx", "not a Word document"),
        (office_files.archive({"word/document.xml": b"<a><b></a>"}), "a.docx", "line 1"),
        (office_files.archive({"word/document.xml": b"<a>" * 5000}), "a.docx", "nests deeper"),
        (
            office_files.archive({"word/document.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
            "a.docx",
            "entities",
        ),
        (office_files.archive({"ppt/presentation.xml": b"<a/>"}), "a.pptx", "no text"),
        (b"PK\x03\x04 broken", "a.xlsx", "broken"),
        (b"not a sheet", "a.xls", "not of Excel"),
        (b"\n\n", "a.eml", "not an e-mail"),
        (b"{\\rtf1 x}", "a.rtf", ".docx"),
    ],
)
def test_what_cannot_be_read_says_why_and_which(data: bytes, name: str, said: str) -> None:
    with pytest.raises(DocumentUnreadable, match=said) as caught:
        parse(data, name)
    assert caught.value.message.startswith(f"{name}: ")
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("data", "name", "bounds", "said"),
    [
        (b"x" * 100, "a.txt", Bounds(bytes=99), "longer than"),
        (b"x" * 100, "a.txt", Bounds(characters=99), "99 characters"),
        (b"# x" * 100, "a.md", Bounds(characters=99), "99 characters"),
        (b"a,b\n" * 100, "a.csv", Bounds(cells=99), "99 cells"),
        (office_files.pdf([["x"]] * 3), "a.pdf", Bounds(pages=2), "3 pages"),
        (office_files.sheet({"s": [["x"] * 10] * 11}), "a.xlsx", Bounds(cells=100), "100 cells"),
        (office_files.word(), "a.docx", Bounds(members=3), "parts"),
        (
            office_files.archive({"word/document.xml": b" " * 50_000_000}),
            "a.docx",
            Bounds(unpacked_bytes=2**20),
            "unpacks to more",
        ),
        (
            office_files.archive({"xl/workbook.xml": b" " * 50_000_000}),
            "a.xlsx",
            Bounds(unpacked_bytes=2**20),
            "unpacks to more",
        ),
    ],
)
def test_what_is_too_much_is_refused(data: bytes, name: str, bounds: Bounds, said: str) -> None:
    with pytest.raises(DocumentUnreadable, match=said):
        parse(data, name, None, bounds)
