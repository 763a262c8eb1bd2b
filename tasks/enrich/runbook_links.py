"""What a rule's `runbook_url` leads to: a document of ours, or a page that people may open.

The address is compared and shown, and never fetched: whoever writes an alert chooses it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from posixpath import splitext
from urllib.parse import unquote, urlsplit

from opssage.evidence import PrimaryContext
from opssage.plain_text import plain_text
from tasks.enrich.runbooks import Chunk, Passage, Runbook

ANNOTATION = "runbook_url"
LINKED = 0.95
"""Relevance at least: whoever wrote the rule says so."""

_MOST_CHARS = 2048
_WEB = frozenset({"http", "https"})
_SUFFIXES = frozenset({".md", ".markdown", ".html", ".htm"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RunbookLink:
    """Where a rule says its runbook is, as far as that can be trusted."""

    url: str  #: to show; empty when its host is not on the list of hosts
    runbook: Runbook | None = None


def addresses(context: PrimaryContext) -> tuple[str, ...]:
    """Return the distinct `runbook_url` of the incident's own alerts, the lead alert's first."""
    own = (each.data for each in context.evidence_collected.alerts if "relation" not in each.data)
    told = ((alert.get("annotations") or {}).get(ANNOTATION, "") for alert in own)
    return tuple(dict.fromkeys(url for url in told if url))


def linked_first(
    links: Sequence[RunbookLink], passages: Sequence[Passage], limit: int
) -> tuple[Passage, ...]:
    """Return the passages with those of linked documents before all others, `limit` at most.

    Of a linked document that has none among them: what to do, and how it begins.
    """
    ahead: list[Passage] = []
    for runbook in {link.runbook.name: link.runbook for link in links if link.runbook}.values():
        found = [passage for passage in passages if passage.runbook.name == runbook.name]
        ahead += found or [
            Passage(runbook=runbook, chunk=chunk, relevance=LINKED) for chunk in _telling(runbook)
        ]
    named = {passage.chunk.source_id for passage in ahead}
    raised = (replace(each, relevance=max(each.relevance, LINKED)) for each in ahead)
    others = (each for each in passages if each.chunk.source_id not in named)
    return (*raised, *others)[:limit]


def _telling(runbook: Runbook) -> list[Chunk]:
    first = runbook.chunks[0]
    doing = next((chunk for chunk in runbook.chunks if chunk.actions), first)
    return [doing] if doing is first else [doing, first]


def resolve(url: str, runbooks: Sequence[Runbook], hosts: Collection[str]) -> RunbookLink | None:
    """Return what a `runbook_url` leads to, None when it is neither ours nor of one of `hosts`.

    A document of ours has it as its `url`, or is called as its path ends; of several that the one
    with the longest name. What fits two documents equally well fits none.
    """
    parts = _web_parts(url)
    if parts is None:
        name = url.strip().removeprefix("./")
        named = [book for book in runbooks if book.name == _bare(name)]
        return RunbookLink(url="", runbook=named[0]) if len(named) == 1 else None
    host, path = parts
    runbook = _with_url(url, runbooks) or _with_name(path, runbooks)
    shown = url if host in hosts else ""
    return RunbookLink(url=shown, runbook=runbook) if runbook or shown else None


def resolve_all(
    urls: Sequence[str], runbooks: Sequence[Runbook], hosts: Collection[str]
) -> tuple[RunbookLink, ...]:
    """Return what the distinct addresses of an incident's alerts lead to, in their order."""
    found = (resolve(url, runbooks, hosts) for url in dict.fromkeys(urls))
    return tuple(link for link in found if link is not None)


def _web_parts(url: str) -> tuple[str, str] | None:
    """Return host and path of a web address; None for anything that would lead elsewhere."""
    if len(url) > _MOST_CHARS or plain_text(url) != url or any(map(str.isspace, url)):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    # before an @ may stand another name, which people would take for the host
    if parts.scheme.lower() not in _WEB or not host or "@" in parts.netloc or "\\" in url:
        return None
    return host, parts.path


def _with_url(url: str, runbooks: Sequence[Runbook]) -> Runbook | None:
    wanted = _address(url)
    found = [book for book in runbooks if book.url and _address(book.url) == wanted]
    return found[0] if len(found) == 1 else None


def _address(url: str) -> tuple[str, str, str]:
    """Return what two spellings of an address have in common."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url, ""
    return parts.netloc.lower(), parts.path.rstrip("/"), parts.query


def _with_name(path: str, runbooks: Sequence[Runbook]) -> Runbook | None:
    by_name = {book.name.lower(): book for book in runbooks}
    for wanted in _endings(_bare(unquote(path))):
        if wanted in by_name:
            return by_name[wanted]
    return None


def _endings(path: str) -> Iterator[str]:
    """Yield `a/b/c`, `b/c` and `c`."""
    steps = [step for step in path.lower().split("/") if step]
    for first in range(len(steps)):
        yield "/".join(steps[first:])


def _bare(path: str) -> str:
    stem, suffix = splitext(path.rstrip("/"))
    return stem if suffix.lower() in _SUFFIXES else path.rstrip("/")
