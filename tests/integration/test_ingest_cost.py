"""What a request costs the database: that does not grow with the number of its alerts."""

from pathlib import Path

import pytest
from factories import alert, group
from sqlalchemy import event

from opssage.incident import AlertGroup
from store import Store, engine


@pytest.fixture
def counted(database):
    """A store, and the statements that it sends."""
    bound = engine.create(database, Path())
    sent: list[str] = []
    event.listen(bound, "before_cursor_execute", lambda *told: sent.append(told[2]))
    yield Store(bound), sent
    bound.dispose()


def statements(counted: tuple[Store, list[str]], request: AlertGroup) -> int:
    store, sent = counted
    sent.clear()
    store.create_incident(request)
    return len(sent)


def of(number: int, **told) -> AlertGroup:
    return group(
        *(alert(pod=f"{number}-{each}", **told) for each in range(number)), key=str(number)
    )


def test_many_alerts_cost_as_many_statements_as_few(counted):
    """Of a group that opens an incident, is repeated, and ends."""
    for told in ({}, {}, {"resolved_after": 60}):
        assert statements(counted, of(200, **told)) == statements(counted, of(2, **told))


def test_a_repeat_costs_few_statements(counted):
    """Locks, what is known, the incident, and the alerts written."""
    statements(counted, of(20))

    assert statements(counted, of(20)) <= 4
