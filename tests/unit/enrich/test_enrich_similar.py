"""Finding past incidents that resemble this one."""

from tasks.enrich.similar import similar
from tasks.enrich.symptoms import Symptoms

SYMPTOMS = Symptoms(
    alert_names=("KubePodCrashLooping",),
    services=("checkout",),
    namespace="shop",
    sentences=("could not parse DATABASE_URL", "configuration is invalid"),
)


def ids(related):
    """Return the ids of related incidents in order."""
    return [each.incident_id for each in related]


def test_an_incident_that_shares_everything_is_wholly_similar(past_incident):
    """Similarity 1 is the same alert, place and words, and `shares` says so."""
    twin = past_incident(
        "a",
        service="checkout",
        namespace="shop",
        category="configuration",
        root_cause="DATABASE_URL is invalid",
    )

    (related,) = similar([twin], SYMPTOMS)

    assert related.similarity == 1
    assert related.root_cause == "DATABASE_URL is invalid"
    assert related.shares == (
        "alert KubePodCrashLooping",
        "service checkout",
        "namespace shop",
        "words configuration, database, url, invalid",
    )


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


def test_another_alert_with_the_same_cause_is_similar(past_incident):
    """The same service and the same words are a precedent under any alert name."""
    other = past_incident(
        "a", alert_name="DeploymentDown", service="checkout", category="configuration"
    )

    assert ids(similar([other], SYMPTOMS)) == ["a"]


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


def test_at_most_five_are_shown(past_incident):
    """The newest of many alike are kept."""
    past = [past_incident(str(day), days_ago=day) for day in range(1, 10)]

    assert ids(similar(past, SYMPTOMS)) == ["1", "2", "3", "4", "5"]
