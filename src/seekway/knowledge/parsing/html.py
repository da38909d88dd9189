"""HTML: what a reader sees of it, without scripts, menus and footers."""

from __future__ import annotations

from typing import Final, Protocol, cast

from seekway.knowledge.parsing.encoding import decode
from seekway.knowledge.parsing.parsed import Bounds, Parsed, TextWriter

_UNSEEN: Final = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "math",
        "iframe",
        "object",
        "canvas",
        "head",
        "nav",
        "footer",
        "aside",
        "button",
        "input",
        "select",
        "textarea",
        "dialog",
    ]
)
_BLOCKS: Final = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "main",
        "header",
        "address",
        "blockquote",
        "figure",
        "figcaption",
        "dl",
        "dt",
        "dd",
        "ul",
        "ol",
        "li",
        "fieldset",
        "details",
        "summary",
        "hr",
        "body",
        "html",
        "center",
    ]
)
_TITLES: Final = {f"h{level}": level for level in range(1, 7)}
_CELLS: Final = ("td", "th")


class _Node(Protocol):
    """What is used of selectolax's nodes, whose own types are loose."""

    @property
    def tag(self) -> str: ...
    @property
    def child(self) -> _Node | None: ...
    @property
    def next(self) -> _Node | None: ...
    @property
    def parent(self) -> _Node | None: ...
    @property
    def attributes(self) -> dict[str, str | None]: ...
    @property
    def text_content(self) -> str | None: ...


def parse_html(data: bytes | str, bounds: Bounds) -> Parsed:
    """The tree is walked without recursion, so that no depth of it matters."""
    from selectolax.lexbor import LexborHTMLParser

    source = data if isinstance(data, str) else decode(data, _declared(data))
    tree = LexborHTMLParser(source)
    page = _Page(bounds)
    title = tree.css_first("title")
    if title is not None:
        page.writer.title = " ".join((title.text() or "").split())
    root = cast("_Node | None", tree.root)
    if root is not None:
        page.walk(root)
    return page.writer.done()


class _Page:
    def __init__(self, bounds: Bounds) -> None:
        self.writer = TextWriter(bounds)
        self._line: list[str] = []
        self._rows: list[list[str]] | None = None
        self._tables = 0
        self._kept = 0

    def walk(self, root: _Node) -> None:
        node: _Node | None = root
        while node is not None:
            below = node.child if self._enter(node) else None
            if below is not None:
                node = below
                continue
            while node is not None:
                self._leave(node)
                if node.next is not None and node is not root:
                    node = node.next
                    break
                node = node.parent if node is not root else None
        self._flush()

    def _enter(self, node: _Node) -> bool:
        """Whether to go into it."""
        tag = node.tag
        if tag == "-text":
            self._line.append(node.text_content or "")
            return False
        if tag.startswith(("-", "_")) and node.child is None:
            return False
        attributes = node.attributes if tag in _BLOCKS or tag in _TITLES else {}
        if tag in _UNSEEN or "hidden" in attributes or attributes.get("aria-hidden") == "true":
            return False
        if tag == "table":
            self._tables += 1
            if self._tables == 1:
                self._flush()
                self._rows = []
        elif tag == "tr" and self._tables == 1 and self._rows is not None:
            self._rows.append([])
        elif tag == "pre":
            self._flush()
            self._kept += 1
        elif tag in _TITLES or tag in _BLOCKS:
            self._flush()
            if tag == "li":
                self._line.append("- ")
        elif tag == "br":
            self._line.append("\n")
        return True

    def _leave(self, node: _Node) -> None:
        tag = node.tag
        if tag == "table" and self._tables:
            self._tables -= 1
            if not self._tables and self._rows is not None:
                rows, self._rows = self._rows, None
                self._line.clear()
                self.writer.table(rows)
        elif tag in _CELLS and self._tables == 1 and self._rows:
            self._rows[-1].append("".join(self._line))
            self._line.clear()
        elif tag in _TITLES and self._rows is None:
            text, self._line = "".join(self._line), []
            self.writer.heading(_TITLES[tag], text)
        elif tag == "pre" and self._kept:
            self._kept -= 1
            code, self._line = "".join(self._line), []
            if code.strip() and self._rows is None:
                self.writer.block(f"```\n{code.strip(chr(10))}\n```")
        elif tag in _BLOCKS:
            self._flush()

    def _flush(self) -> None:
        if self._rows is not None:
            self._line.append(" ")
            return
        if self._kept or not self._line:
            return
        lines = (" ".join(line.split()) for line in "".join(self._line).split("\n"))
        self._line.clear()
        text = "\n".join(line for line in lines if line)
        if text != "-":
            self.writer.block(text)


def _declared(data: bytes) -> str | None:
    """The encoding in a ``meta`` at the beginning (https://html.spec.whatwg.org/#determining-the-character-encoding)."""
    head = data[:2048].lower()
    at = head.find(b"charset=")
    if at < 0:
        return None
    name = head[at + 8 :].lstrip(b"\"' ")
    length = next((k for k, byte in enumerate(name) if not (chr(byte).isalnum() or byte in b"-_")), len(name))
    declared = name[:length].decode("ascii", "ignore")
    return "gb18030" if declared in ("gb2312", "gbk") else declared or None
