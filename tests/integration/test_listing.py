"""Lists, facets and polls, on SQLite and on PostgreSQL alike."""

from datetime import timedelta
from pathlib import Path

import pytest
from factories import NOON, alert, group
from past import LONG_AGO, alone, over
from sqlalchemy import event, insert, update
from steps import beside, completed
from uuid_utils.compat import uuid7

from opssage.access import Actor
from opssage.incident import Disposition
from opssage.settings import DatabaseSettings
from store import IncidentFilter, Sort, StrayFilter, connect, facets, tables
from store.columns import database_now

SOMEBODY = Actor(name="somebody")


def names(listed) -> list[str]:
    """Return what incidents are named after."""
    return [incident.alert_name for incident in listed]


@pytest.mark.parametrize(
    ("chosen", "listed"),
    [
        ({"open": True}, ["Acked", "Open"]),
        ({"open": False}, ["Over"]),
        ({"acked": True}, ["Acked"]),
        ({"acked": False}, ["Over", "Open"]),
        ({"sender": ["other"]}, ["Over"]),
        ({"sender": ["default", "other"], "open": True}, ["Acked", "Open"]),
        ({"severity": ["critical"], "acked": True}, []),
    ],
)
def test_a_list_is_chosen_by_what_people_do_and_who_sent_it(store, chosen, listed):
    """Each filter alone, and together with others."""
    alone(store, "Open")
    for alerts in (alert("Over"), alert("Over", resolved_after=60)):
        store.create_incident(group(alerts, key="Over", sender="other"))
    store.acknowledge(alone(store, "Acked"), SOMEBODY)

    assert names(store.list_incidents(IncidentFilter(**chosen))) == listed


@pytest.mark.parametrize("sort", Sort)
def test_every_order_is_paged_without_gap_or_repeat(store, sort):
    """By the time of opening and by that of the last change, both ways."""
    made = [alone(store, f"A{number}") for number in range(5)]
    for number in (3, 1):
        completed(store, made[number])
    by_change = [0, 2, 4, 3, 1] if sort.column == "updated_at" else [0, 1, 2, 3, 4]

    seen, after = [], None
    while page := store.list_incidents(sort=sort, limit=2, after=after):
        seen += names(page)
        after = sort.position(page[-1])

    wanted = [f"A{number}" for number in by_change]
    assert seen == (wanted[::-1] if sort.is_descending else wanted)


def test_a_poll_sees_what_changed_since(store):
    """Oldest change first, so that whoever polls knows where to go on."""
    first, second = alone(store, "A"), alone(store, "B")
    since = store.get_incident(second).updated_at
    completed(store, first)

    chosen = IncidentFilter(updated_since=since)
    changed = store.list_incidents(chosen, sort=Sort.FIRST_CHANGED)

    assert names(changed) == ["B", "A"]


def test_a_poll_that_overlaps_misses_no_change(new_postgres_url):
    """A change tells the time of its statement, but is seen only once it is committed."""
    database = DatabaseSettings(url=new_postgres_url)
    store = connect(database, Path())
    late, early = alone(store, "Late"), alone(store, "Early")
    mine = tables.incidents.c.incident_id == late
    with beside(database) as connection:
        connection.execute(
            update(tables.incidents)
            .where(mine)
            .values(updated_at=database_now(), version=tables.incidents.c.version + 1)
        )
        completed(store, early)
        newest = store.list_incidents(sort=Sort.LAST_CHANGED, limit=1)[0]

    since = newest.updated_at - timedelta(seconds=10)
    changed = store.list_incidents(IncidentFilter(updated_since=since), sort=Sort.FIRST_CHANGED)

    assert (newest.alert_name, names(changed)) == ("Early", ["Late", "Early"])
    assert changed[0].updated_at < newest.updated_at
    store.close()


def counted(store, name: str, *words: str, **chosen) -> dict:
    """Return the counts of one facet."""
    told = store.count_facets(IncidentFilter(**chosen), words or None)
    return {count.value: count.count for count in told.counts[name]}


@pytest.fixture
def several(store):
    """A store with incidents of several kinds."""
    alone(store, "A", severity="critical", service="checkout")
    alone(store, "B", severity="critical", namespace="team")
    over(store, "C", severity="info", service="checkout")
    return store


def test_facets_count_by_what_incidents_are_chosen_by(several):
    """Values that no incident has are not told; the most frequent comes first."""
    told = several.count_facets()

    assert not told.capped
    shown = {name: [(each.value, each.count) for each in told.counts[name]] for name in told.counts}
    assert shown == {
        "status": [("pending", 2), ("completed", 1)],
        "severity": [("critical", 2), ("info", 1)],
        "namespace": [("shop", 2), ("team", 1)],
        "service": [("checkout", 2)],
        "alert_name": [("A", 1), ("B", 1), ("C", 1)],
        "open": [(True, 2), (False, 1)],
        "acked": [(False, 3)],
    }


def test_a_facet_counts_as_if_nothing_were_chosen_of_it(several):
    """Its other values stay in sight, the other facets are narrowed."""
    chosen = {"severity": ["critical"], "open": True}

    assert counted(several, "severity", **chosen) == {"critical": 2}
    assert counted(several, "severity", severity=["critical"]) == {"critical": 2, "info": 1}
    assert counted(several, "service", **chosen) == {"checkout": 1}
    assert counted(several, "open", severity=["info"], open=True) == {False: 1}


def test_facets_count_what_a_search_finds(several):
    """Words narrow them as filters do."""
    assert counted(several, "alert_name", "checkout") == {"A": 1, "C": 1}
    assert counted(several, "severity", "checkout", severity=["critical"]) == {
        "critical": 1,
        "info": 1,
    }


@pytest.mark.parametrize(
    ("chosen", "queries"),
    [
        ({}, 1),
        ({"sender": ["default"], "created_after": NOON}, 1),
        ({"severity": ["critical"]}, 2),
        ({"severity": ["critical"], "status": ["failed"], "acked": True}, 4),
    ],
)
def test_facets_take_a_query_for_each_set_of_conditions(database, chosen, queries):
    """One, and one for each facet that is chosen of."""
    seen = []
    with beside(database) as connection:
        event.listen(connection, "before_cursor_execute", lambda *told: seen.append(told[2]))
        facets.count(connection, IncidentFilter(**chosen), None, archived=False)

    assert len(seen) == queries


def test_facets_count_the_newest_thousand(store, database):
    """They say that there are more, and name the twenty most frequent values."""
    shown = {"status": "pending", "severity": "warning", "priority": 2, "alert_input": {}}
    identity = {"sender": "default", "receiver": "", "group_key": ""}
    rows = [
        {"incident_id": uuid7(), "alert_name": f"A{number % 50}", **shown, **identity}
        for number in range(facets.MOST + 1)
    ]
    with beside(database) as connection:
        now = database_now()
        connection.execute(insert(tables.incidents).values(created_at=now, updated_at=now), rows)

    told = store.count_facets()

    assert told.capped
    assert [count.count for count in told.counts["status"]] == [1000]
    assert [count.count for count in told.counts["alert_name"]] == [20] * 20


def stray(database: DatabaseSettings, name: str, disposition: Disposition, **changed) -> None:
    """Store an alert that belongs to no incident."""
    made = alert(name)
    told = {
        "fingerprint": made.fingerprint,
        "starts_at": made.starts_at,
        "sender": "default",
        "disposition": disposition.value,
        "status": "firing",
        "labels": made.labels,
        "annotations": {},
        "generator_url": "",
        "firing_condition": "",
        **changed,
    }
    with beside(database) as connection:
        times = {"first_seen_at": database_now(), "last_seen_at": database_now()}
        connection.execute(insert(tables.alerts).values(**{**times, **told}))


@pytest.fixture
def strays(store, database):
    """A store with alerts that belong to no incident, and one that does."""
    stray(database, "A", Disposition.IGNORED)
    stray(database, "B", Disposition.WATCHDOG, sender="other")
    stray(database, "C", Disposition.IGNORED)
    alone(store, "D")
    return store


@pytest.mark.parametrize(
    ("chosen", "listed"),
    [
        ({}, ["C", "B", "A"]),
        ({"disposition": ["ignored"]}, ["C", "A"]),
        ({"disposition": ["ignored", "watchdog"], "sender": ["other"]}, ["B"]),
        ({"sender": ["nobody"]}, []),
    ],
)
def test_alerts_without_an_incident_are_listed(strays, chosen, listed):
    """Newest first, by disposition and sender."""
    assert [each.alert.name for each in strays.list_strays(StrayFilter(**chosen))] == listed


def test_alerts_without_an_incident_are_paged(strays):
    """Without gap or repeat."""
    seen, after = [], None
    while page := strays.list_strays(limit=1, after=after):
        (last,) = page
        seen.append(last.alert.name)
        after = (last.first_seen_at, last.alert.fingerprint, last.alert.starts_at, last.sender)

    assert seen == ["C", "B", "A"]


def test_alerts_without_an_incident_are_counted(strays):
    """All dispositions, whichever is chosen."""
    counts, capped = strays.count_strays(StrayFilter(disposition=["watchdog"]))

    assert {count.value: count.count for count in counts} == {"ignored": 2, "watchdog": 1}
    assert not capped


def test_alerts_without_an_incident_are_pruned_by_when_they_were_last_sent(strays, database):
    """In batches; those of incidents stay, however old."""
    for number in range(3):
        stray(database, f"Old{number}", Disposition.IGNORED, last_seen_at=LONG_AGO)
    completed(strays, alone(strays, "E", starts_at=LONG_AGO))

    assert strays.count_prunable_strays(86_400) == 3
    assert [strays.prune_strays(86_400, 2) for _ in range(3)] == [2, 1, 0]

    assert [each.alert.name for each in strays.list_strays()] == ["C", "B", "A"]
    assert len(strays.list_incidents()) == 2
