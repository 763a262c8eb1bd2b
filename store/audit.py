"""What people did: written in the transaction in which they did it, and read in pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, insert, select

from opssage.access import Actor
from store.columns import database_now
from store.tables import audit

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate[Connection, P], T]

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Something that somebody did."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
    request_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which entries to list."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None


def note(
    connection: Connection,
    by: Actor | None,
    action: str,
    target: object,
    detail: Mapping[str, Any] = _NOTHING,
) -> None:
    """Write down who did what to what; nothing when nobody in particular did it."""
    if by is None:
        return
    connection.execute(
        _INSERT,
        {
            "actor": by.name,
            "request_id": by.request_id,
            "action": action,
            "target": str(target),
            "detail": dict(detail),
        },
    )


_INSERT = insert(audit).values(at=database_now())


def noted(
    verb: Verb[P, T],
    by: Actor | None,
    action: str,
    target: object,
    is_done: Callable[[T], bool] = bool,
) -> Verb[P, T]:
    """Return the verb with a note of it, written when `is_done` says that it did something."""

    def do(connection: Connection, /, *told: P.args, **named: P.kwargs) -> T:
        result = verb(connection, *told, **named)
        if is_done(result):
            note(connection, by, action, target)
        return result

    return do


def page(
    connection: Connection, chosen: AuditFilter, limit: int, after: int | None
) -> list[AuditEntry]:
    """Return up to `limit` entries, newest first, behind the one with the id `after`."""
    query = select(audit).order_by(audit.c.audit_id.desc()).limit(limit)
    for name in ("actor", "action", "target"):
        value = getattr(chosen, name)
        if value is not None:
            query = query.where(audit.c[name] == value)
    if after is not None:
        query = query.where(audit.c.audit_id < after)
    return [AuditEntry(**row._asdict()) for row in connection.execute(query)]
