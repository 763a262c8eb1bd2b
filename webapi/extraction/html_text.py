"""Markdown out of the few HTML elements that mammoth writes."""

from html.parser import HTMLParser
from itertools import pairwise

from webapi.extraction.inert import inert

_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_ITEMS = {"ul": "- ", "ol": "1. "}
_INDENT = "   "
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset({*_HEADINGS, *_ITEMS, "p", "li", "tr", "table"})


def markdown_of(html: str, most_bytes: int) -> str:
    """Return the text of headings, paragraphs, lists and tables; all else is left out.

    It ends soon after `most_bytes`.
    """
    writer = _Writer(most_bytes)
    writer.feed(html)
    writer.close()
    return writer.markdown()


class _Writer(HTMLParser):
    def __init__(self, most_bytes: int) -> None:
        super().__init__(convert_charrefs=True)
        self._left = most_bytes
        self._lines: list[tuple[str, str]] = []  #: the kind of block, and its line
        self._text: list[str] = []
        self._block, self._prefix = "p", ""
        self._lists: list[str] = []
        self._in_row = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's signature
        """Begin a block: what came before it is a line of its own."""
        if tag == "br":
            self._text.append(" ")
        if tag not in _BLOCKS or (self._in_row and tag != "tr"):
            return
        self._flush()
        if tag in _HEADINGS:
            self._block, self._prefix = tag, f"{_HEADINGS[tag]} "
        elif tag in _ITEMS:
            self._lists.append(_ITEMS[tag])
        elif tag == "li" and self._lists:
            depth = len(self._lists) - 1
            self._block, self._prefix = "li", _INDENT * depth + self._lists[-1]
        elif tag == "tr":
            self._block, self._in_row = "tr", True

    def handle_endtag(self, tag: str) -> None:
        """End a block."""
        if tag in _CELLS:
            self._text.append(" | ")
        if tag not in _BLOCKS or (self._in_row and tag != "tr"):
            return
        self._flush()
        if tag == "tr":
            self._in_row = False
        elif tag in _ITEMS and self._lists:
            self._lists.pop()

    def handle_data(self, data: str) -> None:
        """Take text, as long as there is room for it."""
        if self._left >= 0:
            self._text.append(data)
            self._left -= len(data)

    def _flush(self) -> None:
        text = inert(" ".join("".join(self._text).split()).strip("| "))
        self._text.clear()
        if text:
            self._lines.append((self._block, self._prefix + text))
        self._block, self._prefix = "p", ""

    def markdown(self) -> str:
        """Return what was written: items of a list and rows of a table without lines between."""
        self._flush()
        joined = [line for _, line in self._lines[:1]]
        for (before, _), (block, line) in pairwise(self._lines):
            joined += ["\n" if before == block and block in {"li", "tr"} else "\n\n", line]
        return "".join(joined)
