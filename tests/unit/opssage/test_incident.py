from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

import pytest

from opssage.diagnosis import Verdict
from opssage.errors import LostClaimError, OpsSageError, SettingsError
from opssage.evidence import Evidence, EvidenceCollected, EvidenceKind
from opssage.incident import Alert, Stage, Status, lead_alert, severity_rank

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def alert(fingerprint: str = "a", *, minutes: int = 0, **labels: str) -> Alert:
    return Alert(
        labels={"alertname": "Down", **labels},
        starts_at=NOON + timedelta(minutes=minutes),
        fingerprint=fingerprint,
    )


@pytest.mark.parametrize(
    ("status", "stages"),
    [
        (Status.PENDING, ("collect", "enrich", "diagnose")),
        (Status.CONTEXT_COLLECTED, ("enrich", "diagnose")),
        (Status.CONTEXT_ENRICHED, ("diagnose",)),
        (Status.COMPLETED, ()),
        (Status.FAILED, ()),
    ],
)
def test_status_tells_which_stages_remain(status: Status, stages: tuple[str, ...]):
    """An investigation resumes at the first stage without a document."""
    assert Stage.remaining(status) == stages
    assert status.is_terminal is not bool(stages)


def test_stages_hand_over_to_each_other():
    """What a stage reaches is what the next one expects."""
    stages = list(Stage)

    assert [stage.reaches for stage in stages[:-1]] == [stage.expects for stage in stages[1:]]
    assert [stage.document for stage in stages] == [
        "primary_context",
        "enhanced_context",
        "diagnostic_report",
    ]


def test_severities_rank_from_worst_to_mildest():
    """Case does not matter; an unknown word is taken for a warning."""
    ranks = [severity_rank(word) for word in ("Critical", "error", "page", "info", "none")]

    assert ranks == sorted(set(ranks))
    assert severity_rank("page") == severity_rank("warning")


def test_lead_alert_is_the_worst():
    """Severity comes before time."""
    worst = alert("b", severity="critical")

    assert lead_alert([alert("a", minutes=5, severity="warning"), worst]) is worst


def test_lead_alert_is_the_latest_of_the_worst():
    """Among equals the one that started last leads."""
    latest = alert("b", minutes=5)

    assert lead_alert([alert("a"), latest, alert("c")]) is latest


@pytest.mark.parametrize("order", [1, -1])
def test_lead_alert_does_not_depend_on_the_order(order: int):
    """The fingerprint settles what is left."""
    alerts = [alert("a"), alert("b")]

    assert lead_alert(alerts[::order]).fingerprint == "a"


def test_alert_speaks_through_its_labels_and_annotations():
    """Name, severity and message come from where Prometheus puts them."""
    told = Alert(
        labels={"alertname": "Down", "severity": "CRITICAL"},
        annotations={"description": "long", "summary": "short"},
        starts_at=NOON,
        fingerprint="a",
    )

    assert (told.name, told.severity, told.message) == ("Down", "critical", "short")


def test_bare_alert_has_stand_ins():
    """An alert with no labels at all can still be shown and ranked."""
    bare = Alert(labels={}, starts_at=NOON, fingerprint="a")

    assert (bare.name, bare.severity, bare.message) == ("", "warning", "")


def test_alert_is_about_what_was_measured():
    """Labels of the exporter that measured name neither service nor namespace."""
    scraped = {
        "job": "kube-state-metrics",
        "service": "kube-prometheus-stack-kube-state-metrics",
        "namespace": "shop",
    }

    assert (alert(**scraped).service, alert(**scraped).namespace) == (None, "shop")
    assert alert(**scraped, deployment="cart").service == "cart"


@pytest.mark.parametrize(
    "state",
    [
        'left={"datasource":"prom","queries":[{"refId":"A","expr":"up == 0"}]}',
        'left=["now-1h","now","prom",{"expr":"up == 0"}]',
        'schemaVersion=1&panes={"x1":{"queries":[{"refId":"A"},{"expr":"up == 0"}]}}',
    ],
)
def test_condition_is_read_from_a_link_to_grafana(state):
    """Its Explore keeps the query in a JSON document."""
    query = "&".join(
        f"{name}={quote_plus(value)}"
        for name, _, value in (part.partition("=") for part in state.split("&"))
    )

    linked = replace(alert(), generator_url=f"http://grafana/explore?orgId=1&{query}")

    assert linked.condition == "up == 0"


@pytest.mark.parametrize("state", ["{", "[1", '{"expr": 3}', "null", "[" * 100_000])
def test_condition_of_a_strange_link_is_empty(state):
    """The link is a sender's text."""
    url = f"http://grafana/explore?left={quote_plus(state)}"

    assert replace(alert(), generator_url=url).condition == ""


def test_condition_is_read_from_the_generator_url():
    """The URL is decoded, nobody fetches it."""
    url = "http://prom:9090/graph?g0.expr=lab_error_ratio%7Bx%3D%22a+b%22%7D+%3E+0.05&g0.tab=1"

    assert replace(alert(), generator_url=url).condition == 'lab_error_ratio{x="a b"} > 0.05'


def test_condition_given_by_the_sender_wins():
    """A firing condition in the alert is exact already."""
    url = "http://p/graph?g0.expr=x"

    assert replace(alert(), firing_condition="up == 0", generator_url=url).condition == "up == 0"


@pytest.mark.parametrize("url", ["", "http://[broken", "https://grafana/alerting/grafana/abc/view"])
def test_condition_is_empty_when_nobody_gave_one(url: str):
    """A URL of another sender holds no expression."""
    assert replace(alert(), generator_url=url).condition == ""


def test_evidence_is_sorted_by_kind():
    """Each kind has its list; together they hold everything once."""
    items = [
        Evidence(kind=kind, source="s", summary=kind.value, observed_at=NOON)
        for kind in (*EvidenceKind, EvidenceKind.LOG)
    ]

    sorted_ = EvidenceCollected.by_kind(items)

    assert [item.summary for item in sorted_.logs] == ["log", "log"]
    assert len(list(sorted_)) == len(items)


def test_error_says_its_own_sentence():
    """A class without a message speaks for itself."""
    assert str(LostClaimError()) == (
        "Somebody else has taken the incident over; this result is discarded."
    )


def test_settings_error_lists_every_fault():
    """One line each, for the terminal."""
    error = SettingsError(["a: b", "c: d"])

    assert isinstance(error, OpsSageError)
    assert str(error) == "a: b\nc: d"


def test_not_knowing_is_a_verdict():
    """A diagnosis may say that nothing is wrong, and that it cannot tell."""
    assert {verdict.value for verdict in Verdict} == {"fault", "healthy", "insufficient_evidence"}
