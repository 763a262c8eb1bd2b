"""Runbooks: a folder of Markdown files, read once and cut at their headings."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from opssage.errors import OpsSageError
from opssage.log import get_logger
from opssage.plain_text import plain_text

log = get_logger(__name__)

MAX_BYTES = 1_048_576
"""A larger file is skipped: it is a manual, not a runbook."""

MAX_FRONT_CHARS = 16_384
"""Of the front matter: YAML is slow to read."""

LISTS = ("services", "alertnames", "tags", "causes")
TEXTS = ("owner", "reviewed", "url")
"""What front matter may say beside the title, in lists and in words."""

# The text of a list item or a heading is taken as written, so no emphasis or link is looked for:
# that is half of the time, and much more in a text that is made to take long.
_MARKDOWN = MarkdownIt("commonmark").disable("inline")

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*\n?", re.DOTALL | re.MULTILINE)
_ACTION_HEADING = re.compile(
    r"\b(actions?|mitigations?|fix|remediation|resolution)\b", re.IGNORECASE
)


class RunbookError(OpsSageError):
    """The file cannot be read as a runbook."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """One section of a runbook: a heading and the text below it, up to the next heading."""

    source_id: str  #: `crash-loop#actions`, unique in the folder
    heading: str  #: empty for text above the first heading
    text: str  #: Markdown, as written
    actions: tuple[str, ...] = ()  #: list items, when the section says what to do


@dataclass(frozen=True, kw_only=True, slots=True)
class Runbook:
    """One file of the folder. An empty list in the front matter restricts nothing."""

    name: str  #: path below the folder, without `.md`
    title: str
    services: tuple[str, ...] = ()
    alertnames: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owner: str = ""
    causes: tuple[str, ...] = ()  #: names of the cause catalogue that it is about
    reviewed: str = ""  #: when somebody last said that it is right: `2026-11-23`
    url: str = ""  #: where people read it; what a rule's `runbook_url` says
    chunks: tuple[Chunk, ...] = ()

    @property
    def about(self) -> dict[str, Any]:
        """What the front matter says beside the title, as JSON."""
        lists = {name: list(getattr(self, name)) for name in LISTS}
        return {**lists, **{name: getattr(self, name) for name in TEXTS}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A chunk that fits, with its runbook."""

    runbook: Runbook
    chunk: Chunk
    relevance: float  #: 0–1, four decimals


def load_runbooks(folder: Path) -> tuple[Runbook, ...]:
    """Read every `*.md` below `folder`, in order of path; hidden folders are left out.

    A file that cannot be read is skipped with a warning. A missing folder holds no runbooks.
    """
    return tuple(_readable(folder, sorted(folder.rglob("*.md"), key=Path.as_posix)))


def _readable(folder: Path, paths: Sequence[Path]) -> Iterator[Runbook]:
    for path in paths:
        name = path.relative_to(folder).with_suffix("")
        if any(part.startswith(".") for part in name.parts):
            continue
        try:
            yield parse_runbook(name.as_posix(), _read(path))
        except RunbookError as fault:
            log.warning("runbook_skipped", path=str(path), fault=str(fault))


def _read(path: Path) -> str:
    """Return the text of a file. Raises RunbookError."""
    try:
        if not path.is_file():
            raise RunbookError("is not a file")
        if path.stat().st_size > MAX_BYTES:
            raise RunbookError(f"is larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RunbookError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RunbookError(f"is not UTF-8 text (byte {error.start})") from error
    if "\0" in text:
        raise RunbookError("holds NUL characters: not text")
    return text


def parse_runbook(name: str, text: str) -> Runbook:
    """Build a runbook from the text of a file. Raises RunbookError, naming the fault."""
    # bytes of another encoding would make every answer unstorable
    if plain_text(name) != name or not {"\t", "\n"}.isdisjoint(name):
        raise RunbookError("has a name that cannot be printed")
    front, body = split(text)
    sections = tuple(_sections(body))
    if not sections:
        raise RunbookError("holds no text")
    told: dict[str, Any] = {key: _list(front, key) for key in LISTS}
    told.update({key: _text(front, key) for key in TEXTS})
    return Runbook(
        name=name,
        title=_text(front, "title") or _first_heading(sections) or name,
        **told,
        chunks=tuple(_chunks(name, sections)),
    )


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return what the front matter says, and the text behind it. Raises RunbookError."""
    matched = _FRONT_MATTER.match(text)
    return (_front_matter(matched.group(1)), text[matched.end() :]) if matched else ({}, text)


def _front_matter(text: str) -> dict[str, Any]:
    if len(text) > MAX_FRONT_CHARS:
        raise RunbookError(f"front matter is longer than {MAX_FRONT_CHARS} characters")
    try:
        # BaseLoader builds nothing but text, lists and mappings: a tag `on` stays a word.
        front = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - safer than SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 2}" if where else ""
        raise RunbookError(f"front matter is not YAML{line}") from error
    if front and not isinstance(front, dict):
        raise RunbookError("front matter is not a list of `key: value` lines")
    return front or {}


def _text(front: dict[str, Any], key: str) -> str:
    value = front.get(key, "")
    if not isinstance(value, str):
        raise RunbookError(f"front matter `{key}` must be text")
    return plain_text(value)  # YAML has escapes of its own


def _list(front: dict[str, Any], key: str) -> tuple[str, ...]:
    value = front.get(key) or []
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise RunbookError(f"front matter `{key}` must be a list of words")
    return tuple(map(plain_text, items))


@dataclass(kw_only=True, slots=True)
class _Section:
    """A section while it is read."""

    path: tuple[tuple[int, str], ...]  #: level and text of its heading, outermost first
    first_line: int
    text: str = ""
    blocks: list[SyntaxTreeNode] = field(default_factory=list)

    @property
    def heading(self) -> str:
        return self.path[-1][1] if self.path else ""

    @property
    def tells_what_to_do(self) -> bool:
        """True below an action heading; the document's own title does not count for its parts."""
        below_title = (heading for level, heading in self.path if level > 1)
        return any(_ACTION_HEADING.search(heading) for heading in (self.heading, *below_title))


def _sections(body: str) -> Iterator[_Section]:
    """Yield the sections that have text of their own."""
    lines = body.split("\n")
    section = _Section(path=(), first_line=0)
    for block in SyntaxTreeNode(_MARKDOWN.parse(body)).children:
        if block.type != "heading" or block.map is None:
            section.blocks.append(block)
            continue
        yield from _closed(section, lines[section.first_line : block.map[0]])
        level = int(block.tag.removeprefix("h"))
        above = (each for each in section.path if each[0] < level)
        section = _Section(
            path=(*above, (level, block.children[0].content)), first_line=block.map[1]
        )
    yield from _closed(section, lines[section.first_line :])


def _closed(section: _Section, lines: Sequence[str]) -> Iterator[_Section]:
    section.text = "\n".join(lines).strip()
    if section.text:
        yield section


def _first_heading(sections: Sequence[_Section]) -> str:
    return next((section.path[0][1] for section in sections if section.path), "")


def _chunks(name: str, sections: Sequence[_Section]) -> Iterator[Chunk]:
    taken: set[str] = set()
    for section in sections:
        yield Chunk(
            source_id=_unique(f"{name}#{_slug(section.heading)}".rstrip("#"), taken),
            heading=section.heading,
            text=section.text,
            actions=tuple(_items(section.blocks)) if section.tells_what_to_do else (),
        )


def _slug(heading: str) -> str:
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


def _unique(wanted: str, taken: set[str]) -> str:
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}-{number}"
    taken.add(found)
    return found


_LEAVES = frozenset({"inline", "fence", "code_block"})


def _items(blocks: Sequence[SyntaxTreeNode]) -> Iterator[str]:
    """Yield each item of the lists in one line; a list inside an item is part of it."""
    for block in blocks:
        if block.type in {"bullet_list", "ordered_list"}:
            for item in block.children:
                contents = (node.content for node in item.walk() if node.type in _LEAVES)
                yield " ".join(" ".join(contents).split())
