"""T30: sources of evidence that are away, or whose answers are of no use."""

import time
from collections.abc import Iterator
from typing import Any

from faults import checker
from faults.checker import Outcome
from faults.cluster import Layout
from faults.matrix import Run, fault
from faults.upstream import Upstream
from running_stack import until
from sqlalchemy import select

from store.tables import RUNNING, incidents

_SOURCES = {"loki", "prometheus"}
_USELESS = {  # how a source behaves, and what the ledger says of it
    "error": "HTTP 500",
    "refuse": "HTTP 429",
    "garbage": "not a JSON object",
    "huge": "larger than 8 MiB",
    "hang": "too slow",
}
_RESTING = "not asked: it has failed"
_AWAY_SECONDS = 10.0

# one attempt: whatever counts it against the incident gives the incident up
_ONE_ATTEMPT = {"max_attempts": 1}


@fault(
    "T30",
    "sources hang, answer 500, 429, nonsense, 10 MB",
    Layout(upstream=True, settings={"worker": _ONE_ATTEMPT, "collect": {"outage_seconds": 0}}),
    databases=("postgresql",),
)
def useless_answers(run: Run) -> Iterator[None]:
    """Incidents are diagnosed without them, and the ledger says why; then the sources rest."""
    upstream = _upstream(run)
    upstream.set(*_USELESS)
    expected = {*_USELESS.values(), _RESTING}

    def all_told() -> bool:
        run.alertmanager.submit(run.alertmanager.next_alert())
        told = str([_reports(row, "failed") for row in _rows(run)])
        return all(error in told for error in expected)

    until(all_told)
    upstream.set("answer")
    outcome: Outcome = yield
    assert outcome.failed == 0
    assert not checker.events(run.cluster.database_url, "postponed")


@fault(
    "T30",
    "all sources away for 10 s",
    Layout(upstream=True, settings={"worker": _ONE_ATTEMPT, "collect": {"outage_seconds": 16}}),
    databases=("postgresql",),
    variant="less than collect.outage_seconds",
)
def sources_away(run: Run) -> Iterator[None]:
    """Incidents wait for them at no cost, and are diagnosed with all their evidence."""
    _upstream(run).set("error")
    began = time.monotonic()
    waiting = until(lambda: _waiting(run))
    time.sleep(max(0.0, began + _AWAY_SECONDS - time.monotonic()))
    _upstream(run).set("answer")
    outcome: Outcome = yield
    assert {row.attempts for row in waiting} == {0}
    assert outcome.failed == 0
    assert len(checker.events(run.cluster.database_url, "postponed")) >= len(waiting)
    for row in _rows(run):
        answered = {report["source"] for report in _reports(row, "ok")}
        assert answered >= _SOURCES, (answered, _reports(row, "failed"))


def _upstream(run: Run) -> Upstream:
    assert run.cluster.upstream is not None
    return run.cluster.upstream


def _rows(run: Run) -> list[Any]:
    with checker.reading(run.cluster.database_url) as connection:
        return list(connection.execute(select(incidents)))


def _waiting(run: Run) -> list[Any]:
    """Return the incidents that wait for their sources to come back."""
    return [
        row
        for row in _rows(run)
        if row.status in RUNNING and (row.last_error or {}).get("class") == "SourcesAwayError"
        if row.lease_until is None
    ]


def _reports(row: Any, status: str) -> list[dict[str, Any]]:
    """Return the lines of an incident's ledger that have this status."""
    ledger = (row.primary_context or {}).get("sources", [])
    return [line for line in ledger if line["status"] == status]
