"""What the team knows, as documents: one row a name, and a version that every change moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from uuid_utils.compat import uuid7

from opssage.access import Actor
from opssage.knowledge import KnowledgeDocument
from store import audit
from store.columns import database_now
from store.tables import documents, knowledge_state

DocumentPosition = tuple[datetime, UUID]
"""Where a page of documents ends: when its last one changed, and which that is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDocument:
    """What is to be kept under a name."""

    name: str
    text: str
    title: str
    about: dict[str, Any]
    digest: str  #: SHA-256 of what was sent, in hex
    origin: str = ""

    @property
    def size(self) -> int:
        """The bytes of the text."""
        return len(self.text.encode())


class DocumentChange(StrEnum):
    """What became of a document that was sent."""

    ADDED = "added"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    """It was known, with this content."""
    MISSING = "missing"
    """There is none to replace."""
    STALE = "stale"
    """It has changed since the version that was to be replaced."""
    FULL = "full"
    """All documents together would be larger than allowed."""


DocumentOutcome = tuple[DocumentChange, KnowledgeDocument | None]
"""What became of it, and the document as it is now, if there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentFilter:
    """Which documents to list. Several values of one field mean any of them; none asks nothing."""

    name: Sequence[str] = ()
    origin: Sequence[str] = ()


def put(connection: Connection, new: NewDocument, by: Actor, most_bytes: int) -> DocumentOutcome:
    """Keep a document under its name, in place of the one that has it."""
    connection.execute(_LOCK[connection.dialect.name])
    known = connection.execute(_OF_NAME, {"wanted": new.name}).first()
    return _put(connection, _kept(known) if known else None, new, by, most_bytes)


def replace(
    connection: Connection,
    document_id: UUID,
    new: NewDocument,
    by: Actor,
    most_bytes: int,
    version: int | None,
) -> DocumentOutcome:
    """Put other content into a document, if it has that version when one is named."""
    connection.execute(_LOCK[connection.dialect.name])
    known = get(connection, document_id)
    if known is None:
        return DocumentChange.MISSING, None
    if version is not None and version != known.version:
        return DocumentChange.STALE, known
    return _put(connection, known, new, by, most_bytes)


def _put(
    connection: Connection,
    known: KnowledgeDocument | None,
    new: NewDocument,
    by: Actor,
    most_bytes: int,
) -> DocumentOutcome:
    if known and (known.digest, known.origin) == (new.digest, new.origin):
        return DocumentChange.UNCHANGED, known
    growth = new.size - (known.size if known else 0)
    if growth > 0 and (connection.scalar(_TOTAL) or 0) + growth > most_bytes:
        return DocumentChange.FULL, known
    change = DocumentChange.REPLACED if known else DocumentChange.ADDED
    row = connection.execute(_REPLACE if known else _ADD, _values(known, new, by)).one()
    _note(connection, by, f"document.{_ACTIONS[change]}", _kept(row))
    return change, _kept(row)


_ACTIONS = {DocumentChange.ADDED: "add", DocumentChange.REPLACED: "replace"}


def _values(known: KnowledgeDocument | None, new: NewDocument, by: Actor) -> dict[str, Any]:
    told = {
        "text": new.text,
        "title": new.title,
        "about": new.about,
        "origin": new.origin,
        "digest": new.digest,
        "size": new.size,
        "updated_by": by.name,
    }
    if known:
        return {**told, "wanted": known.document_id}
    return {**told, "document_id": uuid7(), "name": new.name}


def remove(connection: Connection, document_id: UUID, by: Actor) -> bool:
    """Delete a document; False when there was none."""
    connection.execute(_LOCK[connection.dialect.name])
    row = connection.execute(_DELETE, {"wanted": document_id}).first()
    if row is None:
        return False
    _note(connection, by, "document.delete", _kept(row))
    return True


def _note(connection: Connection, by: Actor, action: str, document: KnowledgeDocument) -> None:
    """Write down who changed a document, and move the version of them all."""
    told = {"name": document.name, "digest": document.digest}
    audit.note(connection, by, action, document.document_id, told)
    connection.execute(_MOVE)


def get(connection: Connection, document_id: UUID) -> KnowledgeDocument | None:
    """Return a document with its text, or None."""
    row = connection.execute(_GET, {"wanted": document_id}).first()
    return _kept(row) if row else None


def page(
    connection: Connection, chosen: DocumentFilter, limit: int, after: DocumentPosition | None
) -> list[KnowledgeDocument]:
    """Return up to `limit` documents without text, last changed first, behind the position."""
    place = (documents.c.updated_at, documents.c.document_id)
    query = select(*_SUMMARY).order_by(*(column.desc() for column in place)).limit(limit)
    for name in ("name", "origin"):
        if values := getattr(chosen, name):
            query = query.where(documents.c[name].in_(values))
    if after is not None:
        query = query.where(tuple_(*place) < after)
    return [_kept(row) for row in connection.execute(query)]


def every(connection: Connection) -> tuple[KnowledgeDocument, ...]:
    """Return all documents with their text, in order of name."""
    found = (_kept(row) for row in connection.execute(_EVERY))
    # not by the database: the two order text differently
    return tuple(sorted(found, key=lambda document: document.name))


def version(connection: Connection) -> int:
    """Return a number that is another one after every change of a document."""
    return connection.scalar(_VERSION) or 0


def _kept(row: Row[*tuple[Any, ...]]) -> KnowledgeDocument:
    return KnowledgeDocument(**row._asdict())


_ONE = 1
_is_wanted = documents.c.document_id == bindparam("wanted")
_COLUMNS = tuple(documents.c)
_SUMMARY = tuple(
    literal("").label("text") if column is documents.c.text else column for column in _COLUMNS
)
_GET = select(*_COLUMNS).where(_is_wanted)
_OF_NAME = select(*_COLUMNS).where(documents.c.name == bindparam("wanted"))
_EVERY = select(*_COLUMNS)
_TOTAL = select(func.coalesce(func.sum(documents.c.size), 0))
_ADD = (
    insert(documents)
    .values(created_at=database_now(), updated_at=database_now())
    .returning(*_COLUMNS)
)
_REPLACE = (
    update(documents)
    .where(_is_wanted)
    .values(version=documents.c.version + 1, updated_at=database_now())
    .returning(*_COLUMNS)
)
_DELETE = delete(documents).where(_is_wanted).returning(*_COLUMNS)
_VERSION = select(knowledge_state.c.version)
_MOVE = update(knowledge_state).values(version=knowledge_state.c.version + 1)


def _lock(insert_into: Any) -> Any:
    """Return what makes whoever writes a document wait for whoever does."""
    statement = insert_into(knowledge_state).values(state_id=_ONE, version=0)
    held = {"version": knowledge_state.c.version}
    return statement.on_conflict_do_update(index_elements=["state_id"], set_=held)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_LOCK = {"postgresql": _lock(postgresql.insert), "sqlite": _lock(sqlite.insert)}
