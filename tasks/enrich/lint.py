"""What is wrong with a runbook, before somebody needs it at night."""

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from posixpath import dirname, join, normpath
from typing import Any

from opssage.redaction import redact_text
from tasks.enrich.runbooks import LISTS, TEXTS, Runbook, RunbookError, parse_runbook, split

STALE_DAYS = 365
"""A runbook that nobody has looked at for so long describes another system."""

_KEYS = ("title", *TEXTS, *LISTS)
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_LINK = re.compile(r"(?<!!)\[[^\[\]]{0,400}\]\((?P<target>[^()\s]{1,800})[^()]{0,400}\)")
_OUTSIDE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|/)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something wrong with a document."""

    rule: str
    message: str
    line: int | None = None  #: from 1; None: of the document as a whole


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """A document that can be read."""

    runbook: Runbook
    front: dict[str, Any]
    lines: tuple[str, ...]  #: of the whole text; those of code blocks are empty
    text: str
    names: Collection[str]  #: what can be linked to
    today: date


def lint(name: str, text: str, names: Collection[str], today: date) -> Iterator[Fault]:
    """Yield what is wrong with a document, rule by rule.

    `names` are those of all documents beside it, for the links between them.
    """
    try:
        runbook = parse_runbook(name, text)
    except RunbookError as error:
        yield Fault(rule="unreadable", message=str(error))
        return
    draft = _Draft(
        runbook=runbook,
        front=split(text)[0],
        lines=tuple(_without_code(text)),
        text=text,
        names=names,
        today=today,
    )
    for rule, check in RULES.items():
        for line, message in check(draft):
            yield Fault(rule=rule, message=message, line=line)


def _without_code(text: str) -> Iterator[str]:
    """Yield each line, and nothing in place of those of a code block."""
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence and found:
            fence = found[1]
            yield ""
        elif fence:
            if found and found[1].startswith(fence):
                fence = ""
            yield ""
        else:
            yield line


_Found = Iterator[tuple[int | None, str]]


def _unknown_keys(draft: _Draft) -> _Found:
    for key in draft.front:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key).lower(), _KEYS, n=1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KEYS)}"
            yield None, f"front matter has no key {key!s:.60}; {meant}"


def _no_title(draft: _Draft) -> _Found:
    if not draft.front.get("title"):
        yield None, "front matter has no title; people look for it"


def _no_owner(draft: _Draft) -> _Found:
    if not draft.runbook.owner:
        yield None, "front matter has no owner; nobody is asked when it is wrong"


def _stale(draft: _Draft) -> _Found:
    told = draft.runbook.reviewed
    if not told:
        return
    try:
        days = (draft.today - date.fromisoformat(told)).days
    except ValueError:
        yield None, f"reviewed is {told!r:.60}, which is no date like 2026-11-23"
        return
    if days > STALE_DAYS:
        yield None, f"was reviewed {days} days ago; read it again and set reviewed"


def _no_actions(draft: _Draft) -> _Found:
    if not any(chunk.actions for chunk in draft.runbook.chunks):
        yield None, "says nowhere what to do; add a list below a heading Actions"


def _empty_sections(draft: _Draft) -> _Found:
    headings = [(at, *_heading(line)) for at, line in enumerate(draft.lines) if _heading(line)]
    for place, (at, level, title) in enumerate(headings):
        end, below, _ = headings[place + 1] if place + 1 < len(headings) else (None, 0, "")
        said = draft.text.split("\n")[at + 1 : end]
        if below <= level and not any(line.strip() for line in said):
            yield at + 1, f"nothing is below the heading {title!r:.60}"


def _heading(line: str) -> tuple[int, str] | tuple[()]:
    found = _HEADING.match(line)
    return (len(found[1]), found[2]) if found else ()


def _dead_links(draft: _Draft) -> _Found:
    places = {_anchor(chunk.source_id) for chunk in draft.runbook.chunks}
    places |= {_slug(found[1]) for found in map(_heading, draft.lines) if found}
    for at, line in enumerate(draft.lines, start=1):
        for match in _LINK.finditer(line):
            target, _, anchor = match["target"].partition("#")
            if _OUTSIDE.match(target):
                continue
            if target and _linked(draft.runbook.name, target) not in draft.names:
                yield at, f"links to {target:.60}, which is not among the documents"
            elif not target and _slug(anchor) not in places:
                yield at, f"links to #{anchor:.60}, which is none of its headings"


def _linked(name: str, target: str) -> str:
    return normpath(join(dirname(name), re.sub(r"\.(md|markdown)$", "", target)))


def _anchor(source_id: str) -> str:
    return source_id.partition("#")[2]


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def _secrets(draft: _Draft) -> _Found:
    for at, line in enumerate(draft.text.split("\n"), start=1):
        if redact_text(line) != line:
            yield at, f"holds what looks like a secret: {redact_text(line).strip():.60}"


RULES: dict[str, Callable[[_Draft], _Found]] = {
    "unknown-key": _unknown_keys,
    "no-title": _no_title,
    "no-owner": _no_owner,
    "stale": _stale,
    "no-actions": _no_actions,
    "empty-section": _empty_sections,
    "dead-link": _dead_links,
    "secret": _secrets,
}
"""What is looked for, by the name that a fault tells."""
