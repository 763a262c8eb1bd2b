"""Changes that were reported: kept once, read in pages, and forgotten by age."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    Row,
    bindparam,
    delete,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from opssage.changes import ChangeKind, ReportedChange
from opssage.wire import canonical, to_json
from store.columns import database_now
from store.tables import changes

REPEAT_SECONDS = 300
"""A change reported without its time is the same when it is reported again so soon."""

ChangePosition = tuple[datetime, int]
"""Where a page of changes ends: the time and the id of its last one."""

_COLUMNS = tuple(changes.c[each.name] for each in fields(ReportedChange))


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeFilter:
    """Which changes to list. Several values of one field mean any of them; None asks nothing."""

    since: datetime | None = None
    until: datetime | None = None  #: that moment included
    service: Sequence[str] = ()
    namespace: Sequence[str] = ()
    kind: Sequence[str] = ()


def add(
    connection: Connection, change: ReportedChange, *, dated: bool
) -> tuple[ReportedChange, bool]:
    """Keep a change; returns it as it is kept, and whether it is news.

    `dated` says that `at` was reported, rather than taken to be the present.
    """
    digests = _digests(change, dated=dated)
    known = connection.execute(_KNOWN, {"digests": digests, "since": _since(change, dated=dated)})
    if (row := known.first()) is not None:
        return _kept(row), False
    values = {column.name: getattr(change, column.name) for column in _COLUMNS}
    del values["change_id"]
    told = {**values, "kind": change.kind.value, "details": dict(change.details)}
    insert = _INSERT[connection.dialect.name]
    made = connection.scalar(insert, {**told, "digest": digests[0]})
    if made is not None:
        return replace(change, change_id=made), True
    # another request has just committed the same
    return _kept(connection.execute(_OF_DIGEST, {"wanted": digests[0]}).one()), False


def _digests(change: ReportedChange, *, dated: bool) -> list[str]:
    """Return what the change is known by, and what the same one told a moment ago is known by."""
    if dated:
        return [_digest(change)]
    stretch = int(change.at.timestamp() // REPEAT_SECONDS)
    return [_digest(change, at=number) for number in (stretch, stretch - 1)]


def _digest(change: ReportedChange, **other: int) -> str:
    return hashlib.sha256(canonical({**to_json(change), **other})).hexdigest()


def _since(change: ReportedChange, *, dated: bool) -> datetime:
    return change.at if dated else change.at - timedelta(seconds=REPEAT_SECONDS)


_KNOWN = select(*_COLUMNS).where(
    changes.c.digest.in_(bindparam("digests", expanding=True)), changes.c.at >= bindparam("since")
)
_OF_DIGEST = select(*_COLUMNS).where(changes.c.digest == bindparam("wanted"))


def _insert(insert_into: Any) -> Any:
    statement = insert_into(changes).values(received_at=database_now())
    nothing = statement.on_conflict_do_nothing(index_elements=[changes.c.digest])
    return nothing.returning(changes.c.change_id)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_INSERT = {"postgresql": _insert(postgresql.insert), "sqlite": _insert(sqlite.insert)}


def page(
    connection: Connection, chosen: ChangeFilter, limit: int, after: ChangePosition | None
) -> list[ReportedChange]:
    """Return up to `limit` changes, newest first, behind the position `after`."""
    place = (changes.c.at, changes.c.change_id)
    query = select(*_COLUMNS).order_by(*(column.desc() for column in place)).limit(limit)
    for name in ("service", "namespace", "kind"):
        if values := getattr(chosen, name):
            query = query.where(changes.c[name].in_(values))
    if chosen.since is not None:
        query = query.where(changes.c.at >= chosen.since)
    if chosen.until is not None:
        query = query.where(changes.c.at <= chosen.until)
    if after is not None:
        query = query.where(tuple_(*place) < after)
    return [_kept(row) for row in connection.execute(query)]


def _kept(row: Row[*tuple[Any, ...]]) -> ReportedChange:
    return ReportedChange(**{**row._asdict(), "kind": ChangeKind(row.kind)})


def count_forgettable(connection: Connection, age_seconds: float) -> int:
    """Return how many changes `forget` would delete, batch by batch."""
    return connection.scalar(_COUNT, {"age_seconds": age_seconds}) or 0


def forget(connection: Connection, age_seconds: float, limit: int) -> int:
    """Delete up to `limit` changes that happened so long ago, the oldest first."""
    return connection.execute(_DELETE, {"age_seconds": age_seconds, "most": limit}).rowcount


# asked for once, so that the index can be searched for it
_is_old = (
    changes.c.at < select(database_now(-bindparam("age_seconds", type_=Float))).scalar_subquery()
)
_COUNT = select(func.count()).select_from(changes).where(_is_old)
_DELETE = delete(changes).where(
    changes.c.change_id.in_(
        select(changes.c.change_id)
        .where(_is_old)
        .order_by(changes.c.at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )
)
