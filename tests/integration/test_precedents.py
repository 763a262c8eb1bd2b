"""What history offers to a new incident: like it, over, and not what people said was wrong."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from factories import REPORT, alert, group
from past import LONG_AGO
from sqlalchemy import insert, select, update
from steps import age_by, beside, claimed, completed, opened

from opssage.access import Actor
from opssage.diagnosis import Impression, Suspicion
from opssage.evidence import (
    AffectedComponents,
    AlertMetadata,
    EvidenceCollected,
    PreliminaryAnalysis,
    PrimaryContext,
    Window,
)
from opssage.incident import Stage
from opssage.knowledge import PastIncident, Standing
from opssage.settings import DatabaseSettings
from opssage.wire import canonical, to_json
from store import Judgement, Store, connect, tables
from store.columns import database_now
from store.tables import precedents
from tasks.enrich import Shelf, enrich

MIGRATIONS = Path(__file__).parents[2] / "store" / "migrations"
ANN = Actor(name="ann")
DAY = 86400.0
CONFIGURATION = {**REPORT, "root_cause_component": "service/checkout"}
NOTHING = Impression()
SUSPECTED = Impression(
    suspicions=(
        Suspicion(
            cause="config_value_invalid",
            category="configuration",
            component_kind="service",
            probability=0.9,
        ),
    )
)

Known = Callable[..., UUID]


@pytest.fixture
def known(store: Store, database: DatabaseSettings) -> Known:
    """Return a maker of diagnosed incidents: how old, whether over, their report and signals."""

    def make(
        name: str = "HighErrorRate",
        *,
        age: float = 3 * DAY,
        over: bool = True,
        key: str | None = None,
        report: Mapping[str, Any] = CONFIGURATION,
        signals: tuple[str, ...] = (),
        **labels: str,
    ) -> UUID:
        chosen = {"starts_at": LONG_AGO, "made": str(age), **labels}
        key = key or f"{name} {age} {labels}"
        incident_id = opened(store, alert(name, **chosen), key=key)
        age_by(database, incident_id, age)
        for stage, verb, document in (
            (Stage.COLLECT, store.update_primary_context, {"alert_seq": 1}),
            (Stage.ENRICH, store.update_enhanced_context, {"signals": list(signals)}),
            (Stage.DIAGNOSE, store.update_diagnostic_report, report),
        ):
            verb(incident_id, claimed(store, incident_id, stage).epoch, document)
        if over:
            store.create_incident(group(alert(name, resolved_after=60, **chosen), key=key))
        return incident_id

    return make


def past(
    store: Store, name: str = "HighErrorRate", impression: Impression = NOTHING, **options: Any
) -> list[PastIncident]:
    """Return what history offers to a new incident."""
    limit = options.pop("limit", 5)
    key = options.pop("key", "mine")
    incident_id = opened(store, alert(name, mine="yes", **options), key=key)
    return store.list_past(store.get_incident(incident_id), impression, limit)


def ids(found: list[PastIncident]) -> list[UUID]:
    return [UUID(each.incident_id) for each in found]


def test_an_incident_of_the_same_alert_is_offered_with_its_facts(store, known):
    """What it was, what was advised, what was out of order, and when it ended."""
    old = known(service="cart", signals=("log.config_invalid",))

    (found,) = past(store, service="web")

    assert UUID(found.incident_id) == old
    assert (found.service, found.category, found.component_kind) == (
        "cart",
        "configuration",
        "service",
    )
    assert (found.root_cause, found.actions) == (REPORT["root_cause"], ("Correct the value",))
    assert (found.signals, found.standing) == (("log.config_invalid",), Standing.UNJUDGED)
    assert found.resolved_at == LONG_AGO + timedelta(seconds=60)


def test_incidents_of_the_suspected_kind_are_offered_under_any_alert(store, known):
    """Of the same service and category; of the same category and kind of component."""
    same_service = known("A", service="cart", report={**REPORT, "root_cause_component": None})
    same_kind = known("B", service="web")
    known("C", service="cart", report={**CONFIGURATION, "category": "resource"})

    assert ids(past(store, "Mine", SUSPECTED, service="cart")) == [same_service, same_kind]
    assert past(store, "Mine", service="cart") == []


def test_only_incidents_whose_cause_is_known_are_offered(store, known):
    """One that ended in doubt has nothing to teach."""
    known(report={**CONFIGURATION, "verdict": "insufficient_evidence"})
    opened(store, alert(), key="never diagnosed")

    assert past(store) == []


def test_an_archived_incident_is_offered(store, known):
    """Most of history is there."""
    old = known()
    store.archive_incidents(1, 10)

    assert ids(past(store)) == [old]


@pytest.mark.parametrize(
    ("age", "over", "is_offered"),
    [(60, True, True), (60, False, False), (7200, False, True)],
)
def test_what_opened_just_now_and_is_not_over_is_no_past(store, known, age, over, is_offered):
    """Incidents of one storm do not teach each other what their cause is."""
    known(age=age, over=over)

    assert bool(past(store)) == is_offered


@pytest.mark.parametrize(("over_for", "is_offered"), [(3600, False), (2 * DAY, True)])
def test_the_same_trouble_is_no_precedent_of_itself(store, known, database, over_for, is_offered):
    """What comes back in its group within a day is the trouble of then; later it is a precedent."""
    old = known(key="mine")
    with beside(database) as connection:
        ended = {"resolved_at": database_now(-over_for)}
        mine = tables.incidents.c.incident_id == old
        connection.execute(update(tables.incidents).where(mine).values(ended))

    assert ids(past(store, key="mine")) == ([old] if is_offered else [])


def test_the_newest_of_each_kind_are_offered_and_judged_ones_before(store, known):
    """However much history there is, so many are looked at."""
    judged = known(age=90 * DAY)
    store.add_feedback(judged, ANN, Judgement.CONFIRMED)
    newest = known(age=1 * DAY)
    for age in (2, 3):
        known(age=age * DAY)

    assert sorted(ids(past(store, limit=2))) == sorted([judged, newest])


def test_a_confirmed_cause_says_so(store, known):
    """With what its judge said, archived or not."""
    old = known()
    store.archive_incidents(1, 10)
    store.add_feedback(old, ANN, Judgement.CONFIRMED, comment="the new value helped")

    (found,) = past(store)

    assert (found.standing, found.comment) == (Standing.CONFIRMED, "the new value helped")
    assert found.actions == ("Correct the value",)


def test_a_rejected_cause_is_not_offered(store, known):
    """Until somebody confirms it after all."""
    old = known()
    store.add_feedback(old, ANN, Judgement.REJECTED)
    assert past(store) == []

    store.add_feedback(old, ANN, Judgement.CONFIRMED)

    assert ids(past(store)) == [old]


@pytest.mark.parametrize("verdict", ["fault", "insufficient_evidence"])
def test_the_true_cause_is_offered_in_place_of_a_wrong_one(store, known, verdict):
    """Without what was advised for the wrong one; also where none had been found."""
    old = known(report={**CONFIGURATION, "verdict": verdict})
    store.add_feedback(old, ANN, Judgement.REJECTED, root_cause="The disk was full", comment="df")

    (found,) = past(store)

    assert (found.root_cause, found.comment) == ("The disk was full", "df")
    assert (found.standing, found.actions, found.category) == (Standing.CORRECTED, (), "")


def test_a_true_cause_that_was_weighed_is_of_its_kind(store, known):
    """By its name alone it is found for the suspicions that it would have answered."""
    weighed = {"cause": "disk_full", "component": "node/n1", "category": "resource"}
    old = known("A", report={**CONFIGURATION, "hypotheses": [weighed]})
    store.add_feedback(old, ANN, Judgement.REJECTED, cause="disk_full")

    (found,) = past(store, "A")

    assert (found.root_cause, found.standing) == ("disk full", Standing.CORRECTED)
    assert (found.category, found.component_kind) == ("resource", "node")


def test_a_new_answer_replaces_what_was_known(store, known):
    """A judgement of the answer before does not stand for it; a cause that was told does."""
    confirmed, corrected = known("A"), known("B")
    store.add_feedback(confirmed, ANN, Judgement.CONFIRMED)
    store.add_feedback(corrected, ANN, Judgement.REJECTED, root_cause="The disk was full")
    for incident_id in (confirmed, corrected):
        store.restart_incident(incident_id)
        completed(store, incident_id, report={**CONFIGURATION, "category": "resource"})

    (one,), (other,) = past(store, "A"), past(store, "B", key="another")

    assert (one.standing, one.category) == (Standing.UNJUDGED, "resource")
    assert (other.standing, other.root_cause) == (Standing.CORRECTED, "The disk was full")


def test_an_incident_that_turns_out_healthy_is_no_longer_offered(store, known):
    """Its answer was replaced."""
    old = known()
    store.restart_incident(old)
    completed(store, old, report={**REPORT, "verdict": "healthy"})

    assert past(store) == []


@pytest.mark.parametrize("is_archived", [False, True])
def test_what_is_deleted_is_forgotten(store, known, database, is_archived):
    """No row of it stays."""
    old = known(age=90 * DAY)
    if is_archived:
        store.archive_incidents(1, 10)
        store.prune_archive(DAY, 10)
    else:
        store.delete_incident(old, ANN)

    with beside(database) as connection:
        assert connection.execute(select(precedents)).all() == []


def test_the_migration_finds_what_is_known_of_the_past(store, known, database):
    """Incidents that were diagnosed before there were precedents become ones."""
    confirmed, rejected = known("A"), known("B")
    known("C", report={**CONFIGURATION, "verdict": "healthy"})
    known("D", report={"verdict": "fault", "root_cause": "It", "confidence_score": 0.5})
    store.archive_incidents(1, 1)
    store.add_feedback(confirmed, ANN, Judgement.CONFIRMED)
    store.add_feedback(rejected, ANN, Judgement.REJECTED)
    before = _all(database)

    with beside(database) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.downgrade(config, "0007")
        command.upgrade(config, "head")

    assert {row["alert_name"] for row in before} == {"A", "D"}
    assert _all(database) == before


def _all(database: DatabaseSettings) -> list[dict[str, Any]]:
    with beside(database) as connection:
        query = select(precedents).order_by(precedents.c.alert_name)
        return [dict(row) for row in connection.execute(query).mappings()]


def test_both_databases_enrich_to_the_same_bytes(new_sqlite_url, new_postgres_url):
    """The same candidates in the same order, however the database keeps times and ids."""

    def enriched(url: str) -> bytes:
        store = connect(DatabaseSettings(url=url), Path())
        _write_history(DatabaseSettings(url=url))
        incident = store.get_incident(_id(NEWEST))
        found = store.list_past(incident, SUSPECTED, 6)
        store.close()
        return canonical(to_json(enrich(CONTEXT, Shelf(), found, SUSPECTED)))

    answers = {enriched(new_sqlite_url), enriched(new_postgres_url)}

    assert len(answers) == 1
    assert answers.pop().count(b'"similarity"') == 5


WHEN = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
CONTEXT = PrimaryContext(
    alert_metadata=AlertMetadata(
        alert_name="Mine", severity="warning", firing_condition="", trigger_time=WHEN
    ),
    affected_components=AffectedComponents(service="cart", namespace="shop"),
    evidence_collected=EvidenceCollected(),
    preliminary_analysis=PreliminaryAnalysis(),
    window=Window(start=WHEN, end=WHEN, onset=WHEN),
    alert_seq=1,
)


NEWEST = 39


def _id(number: int) -> UUID:
    return UUID(int=(number * 7919 % 41) << 96 | 0x7000 << 64 | number)


def _write_history(database: DatabaseSettings) -> None:
    """Write incidents of fixed ids and times, many at one moment; the last one is `Mine`."""
    with beside(database) as connection:
        for number in range(NEWEST + 1):
            is_mine = number == NEWEST
            created_at = (
                WHEN + timedelta(days=30) if is_mine else WHEN + timedelta(days=number // 9)
            )
            facts = {
                "incident_id": _id(number),
                "created_at": created_at,
                "alert_name": "Mine" if is_mine or number % 3 == 0 else f"Alert{number % 5}",
                "service": ("cart", "web", None)[number % 3],
                "namespace": "shop",
            }
            connection.execute(
                insert(tables.incidents).values(
                    **facts,
                    status="completed",
                    updated_at=created_at,
                    resolved_at=None if is_mine else created_at + timedelta(minutes=number),
                    alert_input={},
                    severity="warning",
                    sender="default",
                    receiver="",
                    group_key=str(number),
                    priority=2,
                )
            )
            told = {"root_cause": f"Cause Ä {number}", "comment": "", "actions": ["Do it"]}
            connection.execute(
                insert(precedents).values(
                    **facts,
                    category=("configuration", "resource")[number % 2],
                    component_kind="service",
                    judged=number % 10 == 0,
                    facts={**told, "signals": ["log.config_invalid"]},
                )
            )
