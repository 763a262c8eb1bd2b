"""The Alertmanager source."""

from datetime import timedelta
from time import monotonic

import httpx2
import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope, upstream_to

from opssage.evidence import SourceStatus
from opssage.fingerprint import fingerprint
from opssage.graph import Edge, ServiceGraph
from opssage.wire import format_time
from tasks.collect.alertmanager import MOST_ALERTS, AlertmanagerSource

CART = make_alert(
    {"alertname": "A", "severity": "critical", "namespace": "shop", "service": "cart"}
)
GRAPH = ServiceGraph.of([Edge(caller="shop/cart", called="pay/billing", source="file")])
HOUR = timedelta(hours=1)


def fired(name="B", *, starts_at=ONSET, status=None, **labels):
    """A gettableAlert of API v2."""
    named = {"alertname": name, "severity": "warning", **labels}
    return {
        "labels": named,
        "annotations": {"summary": f"{name} happens"},
        "startsAt": format_time(starts_at),
        "endsAt": format_time(starts_at + HOUR),
        "updatedAt": format_time(starts_at),
        "fingerprint": fingerprint(named),
        "generatorURL": "http://p/graph?g0.expr=up+%3D%3D+0",
        "receivers": [{"name": "opssage"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], **(status or {})},
    }


def silence(silence_id="s1", *matchers, starts_at=ONSET - HOUR, ends_at=ONSET + HOUR):
    """A gettableSilence of API v2; a matcher is name, operator and value."""
    return {
        "id": silence_id,
        "matchers": [
            {"name": name, "value": value, "isRegex": "~" in sign, "isEqual": "!" not in sign}
            for name, sign, value in matchers
        ],
        "createdBy": "ann",
        "comment": "moving house",
        "startsAt": format_time(starts_at),
        "endsAt": format_time(ends_at),
        "status": {"state": "active"},
    }


def ask(alerts=(), silences=(), *, own=CART):
    """Ask a source whose Alertmanager answers so; an answer may be a whole response."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        answer = alerts if request.url.path.endswith("/alerts") else silences
        if isinstance(answer, Exception):
            raise answer
        return (
            answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=[*answer])
        )

    upstream = upstream_to(httpx2.MockTransport(handle))
    return AlertmanagerSource(upstream).ask(make_scope(own, declared=GRAPH), monotonic() + 60)


def test_another_alert_is_evidence_with_its_relation():
    """As the sender's own are, and what keeps it quiet."""
    quiet = {"silencedBy": ["s1"], "inhibitedBy": ["f00d"]}

    (item,) = ask([fired(namespace="shop", service="web", status=quiet)]).evidence

    assert item.summary == (
        "B (warning) firing since 03:00:00Z for service web (shop) "
        "(same namespace, silenced, inhibited): B happens"
    )
    assert item.subject == {"namespace": "shop", "service": "web"}
    assert item.data["relation"] == "same_namespace"
    assert (item.data["silenced_by"], item.data["inhibited_by"]) == (["s1"], ["f00d"])
    assert (item.data["firing_condition"], item.data["ends_at"]) == ("up == 0", None)


def test_the_incidents_own_alerts_are_not_told_again():
    """They are known by their fingerprints; those that serve alerting are no news either."""
    own = {**fired(), "labels": dict(CART.labels), "fingerprint": CART.fingerprint}

    answer = ask([own, fired("Watchdog", severity="critical")])

    assert answer.evidence == ()
    assert answer.reports[0].error == "left out 1 that serve alerting itself"


@pytest.mark.parametrize(
    ("labels", "relation"),
    [
        ({"namespace": "shop", "pod": "cart-7f9c8d6b5f-xk4nm"}, "same_service"),
        ({"node": "n1"}, "same_node"),
        ({"namespace": "pay", "service": "billing"}, "neighbour"),
        ({"namespace": "shop"}, "same_namespace"),
        ({"severity": "critical", "namespace": "far"}, "elsewhere"),
        ({"severity": "critical"}, "everywhere"),
        ({"namespace": "far"}, None),
        ({"namespace": "shop", "cluster": "other"}, None),
    ],
    ids=str,
)
def test_an_alert_is_near_by_its_place_or_grave(labels, relation):
    """Anything else is counted in the ledger."""
    own = make_alert({**CART.labels, "node": "n1", "cluster": "here"})

    answer = ask([fired(**labels)], own=own)

    assert [item.data["relation"] for item in answer.evidence] == ([relation] if relation else [])
    assert bool(answer.reports[0].error) is (relation is None)


def test_the_nearest_come_first_and_only_so_many():
    """By relation, severity and distance to onset; a replay sees what began by then."""
    late = make_scope(CART).window.end + timedelta(seconds=1)
    web = [fired(f"W{n}", namespace="shop", service="web") for n in range(MOST_ALERTS)]
    cart = fired("Cart", namespace="shop", service="cart", starts_at=ONSET - 5 * HOUR)
    grave = fired("Grave", namespace="shop", service="web", severity="critical")

    answer = ask([*web, grave, cart, fired("Late", namespace="shop", starts_at=late)])

    names = [item.data["labels"]["alertname"] for item in answer.evidence]
    assert (names[:2], len(names)) == (["Cart", "Grave"], MOST_ALERTS)
    assert answer.reports[0].truncated
    assert answer.reports[0].error == (
        "left out 1 that began after the time looked at; kept the nearest 20 of 22"
    )


def test_a_silence_over_the_incident_is_an_object():
    """Whose it is, until when, and what it covers."""
    (item,) = ask(
        silences=[silence("s1", ("namespace", "=", "shop"), ("service", "=~", "cart|web"))]
    ).evidence

    assert item.summary == (
        'silence of ann over the alerts (namespace="shop", service=~"cart|web") '
        "from 02:00:00Z to 04:00:00Z: moving house"
    )
    assert item.subject == {"namespace": "shop"}
    assert item.data["object"] == {"kind": "Silence", "namespace": "", "name": "s1"}
    assert item.data["facts"]["covers_incident"] is True
    assert item.data["problems"] == []


@pytest.mark.parametrize(
    ("matcher", "covers"),
    [
        (("service", "=", "cart"), True),
        (("service", "!=", "cart"), False),
        (("service", "=~", "car"), False),
        (("service", "=~", "c.*"), True),
        (("service", "!~", "web|pay"), True),
        (("team", "=", ""), True),
        (("team", "!=", ""), False),
        (("service", "=~", "(?i)CART"), True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_silence_matches_as_alertmanagers_do(matcher, covers):
    """Anchored, RE2, and a label that is not there is empty."""
    assert bool(ask(silences=[silence("s1", matcher)]).evidence) is covers


def test_silences_of_alerts_that_are_told_of_are_told_too():
    """Others, and those that ended before onset, are counted."""
    quiet = fired(namespace="shop", status={"silencedBy": ["s2"]})
    elsewhere = ("namespace", "=", "far")
    ended = silence("s3", ("service", "=", "cart"), ends_at=ONSET - timedelta(seconds=1))

    answer = ask([quiet], [silence("s1", elsewhere), silence("s2", elsewhere), ended])

    assert [item.data.get("object", {}).get("name") for item in answer.evidence] == [None, "s2"]
    assert not answer.evidence[1].data["facts"]["covers_incident"]
    assert answer.reports[1].error == "left out 2 that do not concern it"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx2.Response(401, text="no"), "check the credentials"),
        (httpx2.Response(403, text="no"), "check the credentials and the tenant"),
        (httpx2.Response(404, text="404 page not found"), "check the base path"),
        (httpx2.Response(400, json="bad matcher"), "the query was refused (HTTP 400)"),
        (httpx2.Response(429, text="slow down"), "too many requests"),
        (httpx2.Response(500, text="boom"), "HTTP 500"),
        (httpx2.Response(503, text="not ready"), "temporarily unavailable"),
        (httpx2.Response(302, headers={"Location": "/login"}), "HTTP 302"),
        (httpx2.Response(200, text="<html>"), "is this the right URL?"),
        (httpx2.Response(200, json={"status": "success", "data": []}), "the answer is no list"),
        (httpx2.Response(200, text="null"), "the answer is not JSON"),
        (httpx2.ConnectError("refused"), "no connection"),
        (httpx2.ReadTimeout("slow"), "too slow"),
        (httpx2.RemoteProtocolError("cut off"), "broken connection"),
    ],
    ids=str,
)
def test_a_fault_is_a_line_of_the_ledger(answer, told):
    """With the command a person asks by; the other question is not lost by it."""
    found = ask(answer, [silence("s1", ("service", "=", "cart"))])

    failed, answered = found.reports
    assert (failed.status, answered.status) == (SourceStatus.FAILED, SourceStatus.OK)
    assert told in failed.error
    assert failed.by_hand.startswith('amtool --alertmanager.url="$ALERTMANAGER_URL" alert query')
    assert answered.by_hand == ""
    assert len(found.evidence) == 1


def test_what_cannot_be_read_is_counted_and_the_rest_is_kept():
    """Newer versions may spell things otherwise."""
    good, odd = fired(namespace="shop"), fired("Odd", namespace="shop")
    bad_pattern = silence("s2", ("service", "=~", "("))
    long_one = silence("s3", ("service", "!=", "x" * 3000))

    answer = ask(
        [{}, 7, {**odd, "startsAt": "never"}, good, {**odd, "labels": None}],
        [bad_pattern, long_one, silence("s1", ("service", "=", "cart"))],
    )

    assert len(answer.evidence) == 2
    assert [report.error for report in answer.reports] == ["could not read 4", "could not read 2"]


def test_nothing_at_all_is_empty():
    """Both questions are in the ledger, with their sizes."""
    reports = ask().reports

    assert [report.query for report in reports] == [
        "/api/v2/alerts?active=true&silenced=true&inhibited=true",
        "/api/v2/silences",
    ]
    assert {(report.status, report.size, report.by_hand) for report in reports} == {
        (SourceStatus.EMPTY, 2, "")
    }


def test_an_answer_serves_all_incidents_of_a_storm():
    """The same question is not asked again within seconds."""
    asked = []

    def handle(request):
        asked.append(request.url.path)
        return httpx2.Response(200, json=[])

    source = AlertmanagerSource(upstream_to(httpx2.MockTransport(handle)))
    for _ in range(3):
        source.ask(make_scope(CART), monotonic() + 60)

    assert sorted(asked) == ["/api/v2/alerts", "/api/v2/silences"]
