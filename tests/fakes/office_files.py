"""Files as office programs write them, made by libraries that are not those that read them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol, cast

import docx
import openpyxl
import pptx
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen import canvas

Cell = str | float | date | None


class _Saved(Protocol):
    def save(self, file: io.BytesIO, /) -> object: ...


def _bytes(document: object) -> bytes:
    file = io.BytesIO()
    cast("_Saved", document).save(file)
    return file.getvalue()


def pdf(pages: Sequence[Sequence[str]], *, font: str = "STSong-Light", password: str | None = None) -> bytes:
    """With one of the fonts that Adobe's readers have for Chinese (``STSong-Light``, ``MSung-Light``), which is not in the file."""
    pdfmetrics.registerFont(UnicodeCIDFont(font))  # pyright: ignore[reportUnknownMemberType] - reportlab has no types for it
    file = io.BytesIO()
    made = canvas.Canvas(file, encrypt=password)
    for lines in pages:
        made.setFont(font, 12)
        for number, line in enumerate(lines):
            made.drawString(60, 800 - 18 * number, line)
        made.showPage()
    made.save()
    return file.getvalue()


def word() -> bytes:
    made = docx.Document()
    made.add_heading("员工手册", 0)
    made.add_heading("第一章 入职", 1)
    made.add_paragraph("入职当天请带身份证。")
    table = made.add_table(2, 2)
    for row, texts in zip(table.rows, (("项目", "金额"), ("差旅", "300|元")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    made.add_heading("Travel", 2)
    made.add_paragraph("Book early.", style="List Bullet")
    return _bytes(made)


def sheet(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        one = made.create_sheet(name)
        for row in rows:
            one.append(list(row))
    return _bytes(made)


def slides() -> bytes:
    made = pptx.Presentation()
    for title, body in (("季度总结", "销售额增长\n成本下降"), ("展望", "明年")):
        slide = made.slides.add_slide(made.slide_layouts[1])
        assert slide.shapes.title is not None
        slide.shapes.title.text = title
        slide.placeholders[1].text = body  # pyright: ignore[reportAttributeAccessIssue] - a text placeholder, which its types do not know
    notes = made.slides[0].notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "备注内容"
    return _bytes(made)


def archive(parts: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in parts.items():
            made.writestr(name, body)
    return file.getvalue()
