"""Finding past incidents that resemble this one."""

from datetime import timedelta

import pytest

from opssage.knowledge import Standing
from tasks.enrich.similar import CLOSE, FLOOR, similar
from tasks.enrich.symptoms import Symptoms

SYMPTOMS = Symptoms(
    alert_names=("KubePodCrashLooping",),
    services=("checkout",),
    namespace="shop",
    sentences=("could not parse DATABASE_URL", "configuration is invalid"),
)
JUDGED = [Standing.CONFIRMED, Standing.CORRECTED]


@pytest.fixture
def symptoms(impression):
    """The same with what the evidence suggests."""
    suggested = impression(
        "state.crash_loop",
        "log.config_invalid",
        "metric.restarts",
        config_value_invalid=("configuration", "service", 0.9),
    )
    return Symptoms(
        alert_names=SYMPTOMS.alert_names,
        services=SYMPTOMS.services,
        namespace=SYMPTOMS.namespace,
        sentences=SYMPTOMS.sentences,
        impression=suggested,
    )


def ids(related):
    """Return the ids of related incidents in order."""
    return [each.incident_id for each in related]


def test_what_is_shared_is_told(past_incident, symptoms):
    """In the order of the structure, words last."""
    twin = past_incident(
        "a",
        service="checkout",
        namespace="shop",
        category="configuration",
        component_kind="service",
        signals=("log.config_invalid", "metric.restarts", "state.crash_loop"),
        root_cause="DATABASE_URL is invalid",
    )

    (related,) = similar([twin], symptoms)

    assert related.similarity > 0.85
    assert related.shares == (
        "alert KubePodCrashLooping",
        "service checkout",
        "namespace shop",
        "category configuration",
        "kind of component service",
        "signals log.config_invalid, state.crash_loop, metric.restarts",
        "words configuration, database, url, invalid",
    )


def test_how_it_ended_and_what_was_done_is_told(past_incident):
    """The end, how long it lasted, what was advised, and what somebody said of it."""
    past = past_incident("a", root_cause="Disk full", actions=("Grow it",), comment="it was logs")
    ended = past.created_at + timedelta(minutes=90)
    before = past_incident("b", resolved_at=ended)

    told, over = (similar([each], SYMPTOMS)[0] for each in (past, before))

    assert (told.root_cause, told.actions, told.comment) == (
        "Disk full",
        ("Grow it",),
        "it was logs",
    )
    assert (told.resolved_at, told.lasted_seconds) == (None, None)
    assert (over.resolved_at, over.lasted_seconds) == (ended, 5400)


def test_the_same_place_alone_is_not_similar(past_incident):
    """Another alert of the same service with another cause is not a precedent."""
    other = past_incident(
        "a",
        alert_name="CertificateExpiry",
        service="checkout",
        namespace="shop",
        root_cause="Certificate expired",
    )

    assert similar([other], SYMPTOMS) == ()


def test_the_same_trouble_elsewhere_is_similar(past_incident, symptoms):
    """The same signals and the suspected category, whatever alert and service."""
    other = past_incident(
        "a",
        alert_name="DeploymentDown",
        service="ledger",
        category="configuration",
        component_kind="service",
        signals=("log.config_invalid", "state.crash_loop"),
    )

    assert ids(similar([other], symptoms)) == ["a"]


def test_a_rare_signal_in_common_counts_more_than_a_metric(past_incident, symptoms):
    """Many troubles move the same metrics; few are told of in the same words."""
    past = [
        past_incident("metric", signals=("metric.restarts",)),
        past_incident("log", signals=("log.config_invalid",)),
    ]

    assert ids(similar(past, symptoms)) == ["log", "metric"]


def test_an_incident_without_service_does_not_match_one_without(past_incident):
    """Two unknowns are not something shared."""
    bare = Symptoms(alert_names=("X",), services=(), namespace=None, sentences=())

    assert similar([past_incident("a", alert_name="Y")], bare) == ()


def test_similar_incidents_are_ranked_by_likeness_then_age_then_id(past_incident):
    """The order does not depend on the order of the candidates."""
    past = [
        past_incident("older", days_ago=3),
        past_incident("b", days_ago=2),
        past_incident("a", days_ago=2),
        past_incident("likeliest", days_ago=9, service="checkout"),
    ]

    expected = ["likeliest", "a", "b", "older"]
    assert ids(similar(past, SYMPTOMS)) == expected
    assert ids(similar(past[::-1], SYMPTOMS)) == expected


@pytest.mark.parametrize("standing", JUDGED)
def test_what_people_judged_comes_before_what_is_more_alike(past_incident, standing):
    """Somebody knows what it was."""
    alike = {"service": "checkout"}
    past = [
        past_incident("new", root_cause="invalid configuration", **alike),
        past_incident("judged", days_ago=90, standing=standing, **alike),
    ]

    first, second = similar(past, SYMPTOMS)

    assert (first.incident_id, first.standing) == ("judged", standing)
    assert first.similarity < second.similarity


@pytest.mark.parametrize("standing", JUDGED)
def test_what_people_judged_has_to_be_alike_all_the_same(past_incident, standing):
    """One that shares little does not come before one that shares much."""
    past = [
        past_incident("much", service="checkout"),
        past_incident("little", standing=standing),
    ]

    much, little = similar(past, SYMPTOMS)

    assert (much.incident_id, little.incident_id) == ("much", "little")
    assert FLOOR <= little.similarity < CLOSE


def test_at_most_five_are_shown(past_incident):
    """The newest of many alike are kept."""
    past = [past_incident(str(day), days_ago=day) for day in range(1, 10)]

    assert ids(similar(past, SYMPTOMS)) == ["1", "2", "3", "4", "5"]
