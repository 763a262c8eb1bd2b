"""What the database holds when all is quiet, against what senders were promised."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.alertmanager import Key, Record
from sqlalchemy import Connection, NullPool, Row, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from opssage.incident import Stage, Status
from store.engine import normalise
from store.tables import RUNNING, alerts, incident_events, incidents

QUIET_SECONDS = 120.0
_POLL_SECONDS = 0.25
_RESULTS = {stage.reaches.value for stage in Stage}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One fault, counted. The first three zeros are the promise."""

    lost: int  #: alerts, or ends of alerts, answered with 2xx that no incident holds
    stuck: int  #: incidents that are neither completed nor failed
    duplicates: int  #: results committed more than once for the same revision
    accepted: int  #: alerts answered with 2xx
    incidents: int
    completed: int
    failed: int  #: with the reason recorded
    unexplained: int  #: failed without a reason
    extra_runs: int  #: claims that ended without a commit
    recovery_seconds: float  #: from the heal to the end of the last incident accepted before it
    ack_p50_ms: float
    ack_p99_ms: float
    refused: int  #: answers with 503
    unanswered: int  #: requests that ended without an answer
    statuses: dict[int, int]  #: all answers by status; 0 is no answer
    remark: str = ""  #: of the fault itself


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Yield a connection of our own, past the proxies."""
    engine = create_engine(normalise(url, Path()), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def await_quiet(url: str, seconds: float = QUIET_SECONDS) -> None:
    """Return when no incident is unfinished, or when that takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if unfinished(url) == 0:
            return
        time.sleep(_POLL_SECONDS)


def unfinished(url: str) -> int | None:
    """Return how many incidents are neither completed nor failed; None without a database."""
    waiting = select(func.count()).where(incidents.c.status.in_(RUNNING))
    try:
        with reading(url) as connection:
            return connection.execute(waiting).scalar_one()
    except DBAPIError:
        return None


def events(url: str, *kinds: str) -> list[Row[Any]]:
    """Return the timeline of all incidents in order: `incident_id`, `at`, `kind`, `data`."""
    chosen = select(incident_events).order_by(incident_events.c.event_id)
    if kinds:
        chosen = chosen.where(incident_events.c.kind.in_(kinds))
    with reading(url) as connection:
        return list(connection.execute(chosen))


def check(url: str, record: Record, healed_at: float) -> Outcome:
    """Count. `healed_at` is the time of the wall clock at which the fault was over."""
    with reading(url) as connection:
        rows = connection.execute(select(incidents)).all()
        timeline = connection.execute(
            select(incident_events).order_by(incident_events.c.event_id)
        ).all()
        lost = _lost(connection, record)
    by_status = Counter(row.status for row in rows)
    failed = [row for row in rows if row.status == Status.FAILED]
    return Outcome(
        lost=lost,
        stuck=sum(by_status[status] for status in RUNNING),
        duplicates=_duplicates(timeline),
        accepted=len(record.acked),
        incidents=len(rows),
        completed=by_status[Status.COMPLETED],
        failed=sum(row.last_error is not None for row in failed),
        unexplained=sum(row.last_error is None for row in failed),
        extra_runs=_extra_runs(rows, timeline),
        recovery_seconds=_recovery(rows, timeline, healed_at),
        ack_p50_ms=record.ack_ms(0.5),
        ack_p99_ms=record.ack_ms(0.99),
        refused=record.statuses[503],
        unanswered=record.statuses[0],
        statuses=dict(sorted(record.statuses.items())),
    )


def _lost(connection: Connection, record: Record) -> int:
    """Count acked alerts that no incident holds, and acked ends that were not noted."""
    held: dict[Key, str] = {
        (row.fingerprint, row.starts_at): row.status
        for row in connection.execute(select(alerts))
        if row.incident_id is not None or row.disposition is not None
    }
    missing = [key for key in record.acked if key not in held]
    unended = [key for key in record.ended if held.get(key, "resolved") != "resolved"]
    return len(missing) + len(unended)


def _duplicates(timeline: Iterable[Row[Any]]) -> int:
    """Count results beyond the first of each kind within a revision."""
    seen: set[tuple[Any, str]] = set()
    duplicates = 0
    for event in timeline:
        if event.kind == "restarted":
            seen -= {(event.incident_id, kind) for kind in _RESULTS}
        elif event.kind in _RESULTS:
            duplicates += (event.incident_id, event.kind) in seen
            seen.add((event.incident_id, event.kind))
    return duplicates


def _extra_runs(rows: Iterable[Row[Any]], timeline: Iterable[Row[Any]]) -> int:
    """Count claims without a commit: each claim raises the epoch, and few other things do."""
    kinds = Counter(event.kind for event in timeline)
    exhausted = sum(
        event.kind == "failed" and event.data["error"].get("class") == "AttemptsExhausted"
        for event in timeline
    )
    expected = sum(kinds[kind] for kind in _RESULTS) + kinds["restarted"] + exhausted
    return sum(row.epoch for row in rows) - expected


def _recovery(rows: Iterable[Row[Any]], timeline: Iterable[Row[Any]], healed_at: float) -> float:
    before = {row.incident_id for row in rows if row.created_at.timestamp() <= healed_at}
    ends = [
        event.at.timestamp()
        for event in timeline
        if event.incident_id in before and event.kind in {"completed", "failed"}
    ]
    return max(0.0, max(ends, default=healed_at) - healed_at)
