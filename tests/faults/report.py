"""docs/reliability-report.md: a row for each fault, kept from run to run."""

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faults.checker import Outcome
from faults.matrix import Fault, load_cases

KEPT = Path(__file__).parents[2] / "data" / "faults"
"""A file for each row of the last run, so that a run of some faults replaces only their rows."""

_HEAD = """# What happens when things break

`make faults` wrote this on {date}: real processes (web, workers, dispatcher, broker, database) on
one machine ({machine}), a fault in the middle of a steady load of
5 alerts a second, and then a look into the database for everything that had been answered with 2xx.
{versions}.

Asserted for every row: **lost**, **stuck** and **duplicates** are 0. Times are measured, not
asserted; unless the row says otherwise the settings are quick ones (lease 3 s, dispatcher 0.5 s).

- *accepted*: alerts answered with 2xx. *completed*, *failed*: incidents and how they ended; a
  failed one has its reason recorded.
- *lost*: accepted alerts, or accepted ends of alerts, that no incident holds. *stuck*: incidents
  neither completed nor failed two minutes later. *duplicates*: results committed more than once
  for the same revision of an incident.
- *extra runs*: stages that ran without their result being used, because somebody else's was.
- *recovery*: from the end of the fault to the end of the last incident accepted before it.
- *ack*: time of the answers with 2xx, median and 99th percentile. *503*: requests refused for the
  moment, which senders repeat.

| | fault | database | accepted | completed | failed | lost | stuck | duplicates | extra runs \
| recovery s | ack p50/p99 ms | 503 |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""
_VERSIONS = ("celery", "kombu", "redis", "sqlalchemy", "gunicorn")


def forget(row: Fault, database: str) -> None:
    """Take a row off the report: it is about to run again."""
    _file(row, database).unlink(missing_ok=True)


def keep(row: Fault, database: str, outcome: Outcome) -> None:
    """Keep the outcome of one fault for the report."""
    KEPT.mkdir(parents=True, exist_ok=True)
    line = {"name": row.name, "database": database, **asdict(outcome)}
    _file(row, database).write_text(json.dumps(line) + "\n")


def write(path: Path) -> None:
    """Write the report from what is kept; a fault that has not run yet says so."""
    rows = load_cases()
    titles = Counter((row.name, row.title) for row in rows)
    lines = [line for row in rows for line in _lines(row, is_twin=titles[row.name, row.title] > 1)]
    head = _HEAD.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        versions="Python "
        + ", ".join(
            [platform.python_version(), *(f"{name} {version(name)}" for name in _VERSIONS)]
        ),
    )
    path.write_text(head + "\n".join(lines) + "\n")


def _file(row: Fault, database: str) -> Path:
    return KEPT / f"{row.key}-{database}.json"


def _lines(row: Fault, *, is_twin: bool) -> list[str]:
    """Return a row's lines; of rows with the same title each also tells its variant."""
    title = f"{row.title} ({row.variant})" if is_twin and row.variant else row.title
    if row.damage is None:
        return [f"| {row.name} | {title}: not run here. {row.why_not} |" + " |" * 11]
    return [_line(row, title, database) for database in row.databases]


def _line(row: Fault, title: str, database: str) -> str:
    file = _file(row, database)
    if not file.exists():
        return f"| {row.name} | {title} | {database} | not run yet |" + " |" * 9
    kept = json.loads(file.read_text())
    told = f"{title}; {kept['remark']}" if kept.get("remark") else title
    return f"| {row.name} | {told} | {database} | {' | '.join(_cells(kept))} |"


def _cells(kept: Mapping[str, Any]) -> list[str]:
    counted = ("accepted", "completed", "failed", "lost", "stuck", "duplicates", "extra_runs")
    return [
        *(str(kept[name]) for name in counted),
        f"{kept['recovery_seconds']:.1f}",
        f"{kept['ack_p50_ms']:.0f}/{kept['ack_p99_ms']:.0f}",
        str(kept["refused"]),
    ]
