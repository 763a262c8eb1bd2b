"""What the team has written down: a folder of runbooks, and the documents of the knowledge base.

Each process reads it once, and again when the knowledge base has changed.
"""

import ctypes
import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from opssage.knowledge import KnowledgeDocument
from opssage.log import get_logger
from tasks.enrich.runbooks import Passage, Runbook, RunbookError, load_runbooks, parse_runbook
from tasks.enrich.symptoms import Symptoms

if TYPE_CHECKING:
    from tasks.enrich.index import Index

log = get_logger(__name__)

LONG_SECONDS = 1.0
"""Reading that took longer than this …"""
REST = 10.0
"""… is not repeated for so many times as long: many documents may change one after the other."""

_TRIES = 3


class Knowledge(Protocol):
    """The knowledge base, as the store keeps it."""

    def knowledge_version(self) -> int:
        """Return a number that moves with every change of a document."""

    def knowledge_documents(self) -> Sequence[KnowledgeDocument]:
        """Return all documents with their texts, in order of name."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The documents at one version of the knowledge base, to be searched.

    What it takes to search is loaded at first use: numpy costs a process that never does 21 MB and
    a quarter second.
    """

    version: int = 0  #: 0 when there is no knowledge base
    runbooks: tuple[Runbook, ...] = ()  #: in order of name

    def retrieve(self, symptoms: Symptoms, *, limit: int) -> tuple[Passage, ...]:
        """Return at most `limit` passages for an incident, best first, of equal ones by source_id.

        What hardly fits is left out, so there may be none.
        """
        from tasks.enrich.retrieval import retrieve  # noqa: PLC0415 - see above

        return retrieve(self.index, symptoms, limit=limit)

    def search(self, text: str, *, limit: int) -> tuple[Passage, ...]:
        """Return at most `limit` passages for a person's words, however little they fit.

        Those that have none of the words are left out.
        """
        from tasks.enrich.retrieval import search  # noqa: PLC0415 - see above

        return search(self.index, text, limit=limit)

    @cached_property
    def index(self) -> "Index":
        """Every passage, ready to be scored; about a second's work for ten thousand."""
        from tasks.enrich.index import Index  # noqa: PLC0415 - see above

        made = Index(self.runbooks)
        _settle()
        return made


class Library:
    """The runbooks of a folder and the documents beside them; of one name the document counts."""

    def __init__(self, folder: Path | None, knowledge: Knowledge | None = None) -> None:
        """Take a folder, which is read now and never again, and the knowledge base."""
        self._folder = {book.name: book for book in load_runbooks(folder)} if folder else {}
        self._knowledge = knowledge
        self._parsed: dict[str, tuple[str, Runbook | None]] = {}  # name → digest, and what it says
        self._shelf = _shelved(0, self._folder)
        self._rests_until = 0.0
        self._lock = Lock()

    def shelf(self) -> Shelf:
        """Return the documents as they are; threads may share it.

        Costs one small question to the knowledge base, and reading when that has changed.
        """
        if self._knowledge is None:
            return self._shelf
        with self._lock:
            began = monotonic()
            if began >= self._rests_until and self._refresh(self._knowledge):
                took = monotonic() - began
                self._rests_until = began + took * REST if took > LONG_SECONDS else 0.0
            return self._shelf

    def _refresh(self, knowledge: Knowledge) -> bool:
        """Read the documents if they have changed; returns whether they had."""
        version = knowledge.knowledge_version()
        if version == self._shelf.version:
            return False
        documents = knowledge.knowledge_documents()
        for _ in range(_TRIES):
            after = knowledge.knowledge_version()
            if after == version:
                break
            version, documents = after, knowledge.knowledge_documents()
        self._shelf = _shelved(version, {**self._folder, **dict(self._read(documents))})
        log.info("library_read", version=version, documents=len(self._shelf.runbooks))
        return True

    def _read(self, documents: Sequence[KnowledgeDocument]) -> Iterator[tuple[str, Runbook]]:
        """Yield the documents that can be read; what is as it was is not parsed again."""
        parsed: dict[str, tuple[str, Runbook | None]] = {}
        for each in documents:
            digest, book = self._parsed.get(each.name, ("", None))
            if digest != each.digest:
                book = _parsed(each)
            parsed[each.name] = each.digest, book
            if book is not None:
                yield each.name, book
        self._parsed = parsed


def _shelved(version: int, books: Mapping[str, Runbook]) -> Shelf:
    return Shelf(version=version, runbooks=tuple(books[name] for name in sorted(books)))


def _settle() -> None:
    """Keep what was read out of the way of what comes.

    Every full collection of garbage would look at it for a tenth of a second. The memory that only
    reading took, 20 MB or more, goes back to the system; the GNU C library would keep it.
    """
    gc.collect()
    gc.freeze()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _parsed(document: KnowledgeDocument) -> Runbook | None:
    try:
        return parse_runbook(document.name, document.text)
    except RunbookError as fault:
        log.warning("document_skipped", name=document.name, fault=str(fault))
        return None
