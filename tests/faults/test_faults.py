"""Whatever dies, what was answered with 2xx ends completed or failed with a reason, once."""

import os
from pathlib import Path

import pytest
from faults import report
from faults.cluster import Database
from faults.matrix import Fault, carry_out, load_cases

pytestmark = pytest.mark.timeout(420 + float(os.environ.get("FAULTS_LOOP_SECONDS") or "60"))


def _rows() -> list[object]:
    return [
        pytest.param(
            row,
            database,
            id=f"{row.key}-{database}",
            marks=[pytest.mark.quick] if row.quick and database == row.databases[0] else [],
        )
        for row in load_cases()
        for database in row.databases
    ]


@pytest.mark.parametrize(("row", "database"), _rows())
def test_fault_loses_nothing(
    row: Fault, database: Database, tmp_path: Path, request: pytest.FixtureRequest
):
    """Nothing acknowledged is lost, nothing hangs, and no result is there twice."""
    if row.damage is None:
        pytest.skip(row.why_not)
    shared = database == "postgresql" and not row.layout.own_postgres
    url = request.getfixturevalue("postgres_url") if shared else None
    report.forget(row, database)

    outcome = carry_out(row, tmp_path, database, url)

    report.keep(row, database, outcome)
    assert (outcome.lost, outcome.stuck, outcome.duplicates) == (0, 0, 0), outcome
    assert outcome.unexplained == 0, outcome
    assert outcome.accepted > 0, outcome
