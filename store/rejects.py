"""Alerts that could not be taken, kept until a person takes them after all or removes them."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Integer, Row, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from opssage.incident import AlertGroup, Reject
from opssage.log import get_logger
from opssage.wire import canonical
from store.columns import database_now
from store.tables import ingest_rejects

log = get_logger(__name__)

MOST = 10_000
"""Rejects kept that nobody took.

More than anybody reads. A sender that gets every alert wrong must not fill the database: what was
sent, the group and the reason are cut, so that each takes some 40 kB at most.
"""

_TRIM_AT = "00"
"""A new row whose digest ends so has the oldest removed: about one in 256.

Counting is too dear for every insert. A digest is as good as a dice for it, and unlike a row's
number, which PostgreSQL also spends on repeats, it comes up whatever else arrives.
"""

_GROUP = ("receiver", "group_key")
_ENVELOPE = (
    *_GROUP,
    "group_labels",
    "common_labels",
    "common_annotations",
    "external_url",
    "truncated_alerts",
)
_ENVELOPE_BYTES = 4096  # each reject of a request has its own copy


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptReject:
    """A reject as the store answers it."""

    reject_id: int
    received_at: datetime
    last_seen_at: datetime
    sender: str
    reason: str
    deliveries: int  #: how often it was sent
    raw: str  #: what was sent: an alert as JSON text, or the beginning of an unreadable body
    envelope: Mapping[str, Any] | None  #: fields of its AlertGroup; None: the body was unreadable
    incident_id: UUID | None  #: where it went when it was taken after all


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectFilter:
    """Which rejects to list. None asks for nothing."""

    sender: str | None = None
    taken: bool | None = None


def write(connection: Connection, group: AlertGroup) -> None:
    """Keep a request's rejects; those that are known are counted."""
    envelope = _envelope(group)
    _keep(connection, [_row(reject, group.sender, envelope) for reject in group.rejects])


def _envelope(group: AlertGroup) -> dict[str, Any]:
    """Return what a reject is taken under later: all of it, or what makes the group if too long."""
    envelope = {name: getattr(group, name) for name in _ENVELOPE}
    if len(canonical(envelope)) <= _ENVELOPE_BYTES:
        return envelope
    return {name: envelope[name] for name in _GROUP}


def write_unreadable(connection: Connection, reject: Reject, sender: str) -> None:
    """Keep the beginning of a body that could not be read."""
    _keep(connection, [_row(reject, sender, None)])


def _row(reject: Reject, sender: str, envelope: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the row of a reject. The reason is not its identity: it names a position."""
    group = [envelope[name] for name in _GROUP] if envelope else []
    identity = canonical([sender, reject.raw, *group])
    return {
        "sender": sender,
        "reason": reject.reason,
        "raw": reject.raw,
        "digest": hashlib.sha256(identity).hexdigest(),
        "envelope": envelope,
    }


def _keep(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    times = Counter(row["digest"] for row in rows)
    told = {row["digest"]: {**row, "deliveries": times[row["digest"]]} for row in rows}
    # in sorted order, so that two requests with the same rejects cannot wait for each other
    connection.execute(_UPSERT[connection.dialect.name], [told[key] for key in sorted(told)])
    if any(digest.endswith(_TRIM_AT) for digest in told):
        trim(connection, MOST)


def _upsert(insert_into: Any) -> Any:
    statement = insert_into(ingest_rejects).values(
        received_at=database_now(), last_seen_at=database_now()
    )
    return statement.on_conflict_do_update(
        index_elements=[ingest_rejects.c.digest],
        set_={
            "reason": statement.excluded.reason,
            "last_seen_at": statement.excluded.last_seen_at,
            "deliveries": ingest_rejects.c.deliveries + statement.excluded.deliveries,
        },
        # returning anything makes SQLAlchemy send many rows in one statement
    ).returning(ingest_rejects.c.reject_id)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_UPSERT = {"postgresql": _upsert(postgresql.insert), "sqlite": _upsert(sqlite.insert)}


def trim(connection: Connection, most: int) -> None:
    """Remove the oldest rejects that nobody took, all but `most`."""
    removed = connection.execute(_TRIM, {"most": most}).rowcount
    if removed:
        log.warning("rejects_removed", number=removed, kept=most)


_is_waiting = ingest_rejects.c.incident_id.is_(None)
_first_too_many = (
    select(ingest_rejects.c.reject_id)
    .where(_is_waiting)
    .order_by(ingest_rejects.c.reject_id.desc())
    .limit(1)
    .offset(bindparam("most", type_=Integer))
    .scalar_subquery()
)
_too_many = (
    select(ingest_rejects.c.reject_id)
    .where(_is_waiting, ingest_rejects.c.reject_id <= _first_too_many)
    # one that is being sent or taken at this moment stays
    .with_for_update(skip_locked=True)
)
_TRIM = delete(ingest_rejects).where(ingest_rejects.c.reject_id.in_(_too_many))


def get(connection: Connection, reject_id: int) -> KeptReject | None:
    """Return the reject, or None."""
    row = connection.execute(_ONE, {"wanted": reject_id}).first()
    return _kept(row) if row else None


def page(
    connection: Connection, chosen: RejectFilter, limit: int, after: int | None
) -> list[KeptReject]:
    """Return up to `limit` rejects, newest first, behind the one with the id `after`."""
    query = select(*_COLUMNS).order_by(ingest_rejects.c.reject_id.desc()).limit(limit)
    if chosen.sender is not None:
        query = query.where(ingest_rejects.c.sender == chosen.sender)
    if chosen.taken is not None:
        query = query.where(~_is_waiting if chosen.taken else _is_waiting)
    if after is not None:
        query = query.where(ingest_rejects.c.reject_id < after)
    return [_kept(row) for row in connection.execute(query)]


_COLUMNS = (
    *(ingest_rejects.c[name] for name in ("reject_id", "received_at", "sender", "reason", "raw")),
    *(ingest_rejects.c[name] for name in ("deliveries", "envelope", "incident_id")),
    # rows from before deliveries were counted have none
    func.coalesce(ingest_rejects.c.last_seen_at, ingest_rejects.c.received_at).label(
        "last_seen_at"
    ),
)
_is_wanted = ingest_rejects.c.reject_id == bindparam("wanted")
_ONE = select(*_COLUMNS).where(_is_wanted)


def _kept(row: Row[*tuple[Any, ...]]) -> KeptReject:
    return KeptReject(**row._asdict())


def hold(connection: Connection, reject_id: int) -> bool:
    """Keep others from taking a reject in this transaction; False when nobody can take it."""
    return connection.execute(_HOLD, {"wanted": reject_id}).first() is not None


def settle(connection: Connection, reject_id: int, incident_id: UUID | None) -> None:
    """Mark a reject as taken; one that belongs to no incident has nothing to tell and goes."""
    if incident_id is None:
        remove(connection, reject_id)
    else:
        connection.execute(_SETTLE, {"wanted": reject_id, "taken_as": incident_id})


_HOLD = select(ingest_rejects.c.reject_id).where(_is_wanted, _is_waiting).with_for_update()
_SETTLE = update(ingest_rejects).where(_is_wanted).values(incident_id=bindparam("taken_as"))


def remove(connection: Connection, reject_id: int) -> bool:
    """Delete a reject; False when there was none."""
    return connection.execute(_REMOVE, {"wanted": reject_id}).rowcount == 1


_REMOVE = delete(ingest_rejects).where(_is_wanted)
