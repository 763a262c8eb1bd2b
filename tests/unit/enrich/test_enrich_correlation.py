"""Which incidents belong together, why, and where their event began."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from opssage.evidence import (
    AffectedComponents,
    AlertMetadata,
    Evidence,
    EvidenceCollected,
    EvidenceKind,
    PreliminaryAnalysis,
    PrimaryContext,
    Window,
)
from opssage.graph import Edge, ServiceGraph
from opssage.linking import Footprint, Link, LinkReason, OpenIncident, Vicinity
from tasks.enrich import correlate, footprint
from tasks.enrich.correlation import MOST_LINKS, reasons_for

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
GRAPH = (("shop/web", "shop/orders"), ("shop/orders", "shop/auth"), ("shop/pay", "shop/auth"))
ME = "00000000-0000-7000-8000-000000000000"


def graph(*calls: tuple[str, str]) -> ServiceGraph:
    """Return a graph of these calls."""
    return ServiceGraph.of(
        Edge(caller=caller, called=called, source="istio") for caller, called in calls
    )


def prints(service: str = "", at: float = 0, **more) -> Footprint:
    """Return what is compared of an incident at a service, so many seconds after noon."""
    services = (service,) if service else ()
    return Footprint(onset=NOON + timedelta(seconds=at), **{"services": services, **more})


def found(number: int, service: str = "", at: float = 0, **more) -> OpenIncident:
    """Return another incident, known by its number."""
    return OpenIncident(
        incident_id=ME[:-2] + f"{number:02d}",
        alert_name=f"Alert{number}",
        severity="warning",
        footprint=prints(service, at, **more),
    )


def alert(**labels: str) -> Evidence:
    """Return an alert as evidence."""
    return Evidence(
        kind=EvidenceKind.ALERT,
        source="alerts",
        summary="an alert",
        observed_at=NOON,
        data={"labels": {"namespace": "shop", **labels}},
    )


def context(*evidence: Evidence, calls: tuple[tuple[str, str], ...] = GRAPH) -> PrimaryContext:
    """Return what was collected: this evidence, and who calls whom."""
    edges = [[caller, called, "istio"] for caller, called in calls]
    told = Evidence(
        kind=EvidenceKind.OBJECT,
        source="prometheus",
        summary="calls",
        observed_at=NOON,
        data={"object": {"kind": "ServiceGraph"}, "facts": {"edges": edges}},
    )
    return PrimaryContext(
        alert_metadata=AlertMetadata(
            alert_name="A", severity="warning", firing_condition="", trigger_time=NOON
        ),
        affected_components=AffectedComponents(),
        evidence_collected=EvidenceCollected.by_kind((*evidence, told)),
        preliminary_analysis=PreliminaryAnalysis(),
        window=Window(start=NOON, end=NOON, onset=NOON),
        alert_seq=1,
    )


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        (prints("shop/pay"), prints("shop/pay", 900), ["same_service"]),
        (prints("shop/orders"), prints("shop/auth", 900), ["neighbour"]),
        (prints("shop/web"), prints("shop/auth", -900), ["neighbour"]),
        (prints("shop/orders"), prints("shop/pay"), ["neighbour"]),
        (prints("shop/orders"), prints("shop/auth", 901), []),
        (prints("shop/web"), prints("shop/pay"), []),
        (prints(nodes=("n1",)), prints("a/x", hosts=("n1",)), ["same_node"]),
        (prints("a/x", hosts=("n1",)), prints("b/y", hosts=("n1",)), []),
        (prints("a/x", changes=("c",)), prints("b/y", changes=("c",)), ["same_change"]),
        (prints(namespaces=("a",)), prints(namespaces=("a",), at=180), ["same_namespace"]),
        (prints(namespaces=("a",)), prints(namespaces=("a",), at=181), []),
        (prints("a/x", clusters=("eu",)), prints("a/x", clusters=("us",)), []),
        (prints("a/x", clusters=("eu",)), prints("a/x"), ["same_service"]),
        (prints(), prints(), []),
    ],
)
def test_a_link_has_a_reason(one, other, reasons):
    """A place or a cause in common, and a beginning that is near enough for it."""
    for pair in ((one, other), (other, one)):
        assert [each.value for each in reasons_for(*pair, graph(*GRAPH))] == reasons


def test_two_that_one_service_calls_are_no_neighbours():
    """Trouble does not pass from one to the other by their caller."""
    calls = graph(("shop/web", "shop/cart"), ("shop/web", "shop/search"))

    assert reasons_for(prints("shop/cart"), prints("shop/search"), calls) == ()


def test_a_footprint_is_read_off_an_incidents_own_alerts():
    """With the calls they complain of, the nodes of their pods, and changes at and beneath them."""
    nearby = alert(alertname="Nearby", service="other")
    change = Evidence(
        kind=EvidenceKind.CHANGE,
        source="changes",
        summary="a deploy",
        observed_at=NOON - timedelta(seconds=100),
        subject={"namespace": "shop", "service": "auth"},
        data={"change": "deploy"},
    )
    metric = Evidence(
        kind=EvidenceKind.METRIC,
        source="prometheus",
        summary="cpu",
        observed_at=NOON,
        subject={"namespace": "shop", "pod": "orders-7d9f8b6c5d-x2x4z", "node": "n1"},
    )
    own = alert(alertname="Own", service="orders", dependency="auth", node="n2", cluster="eu")
    nearby.data["relation"] = "same_namespace"

    read = footprint(context(own, nearby, change, metric))

    assert read == Footprint(
        onset=NOON,
        services=("shop/orders",),
        namespaces=("shop",),
        nodes=("n2",),
        hosts=("n1",),
        clusters=("eu",),
        calls=(("shop/orders", "shop/auth"),),
        changes=("deploy of shop/auth at 2026-11-23T11:58:20.000000Z",),
    )


@pytest.mark.parametrize(
    ("service", "before"), [("auth", 1801), ("auth", -61), ("web", 10), ("elsewhere", 10)]
)
def test_a_change_far_away_or_long_ago_links_nothing(service, before):
    """Neither one that came after, nor one of a service that only calls."""
    change = Evidence(
        kind=EvidenceKind.CHANGE,
        source="changes",
        summary="a deploy",
        observed_at=NOON - timedelta(seconds=before),
        subject={"namespace": "shop", "service": service},
        data={"change": "deploy"},
    )

    assert footprint(context(alert(service="orders"), change)).changes == ()


def correlated(me: OpenIncident, *others: OpenIncident, links: tuple[Link, ...] = (), **about):
    """Link an incident with others."""
    vicinity = Vicinity(seen=3, incidents=others, links=links)
    return correlate(me, context(**about), vicinity)


def test_an_incident_alone_is_no_event():
    """Others there are, of another time or place."""
    result = correlated(found(1, "shop/orders"), found(2, "x/y"), found(3, "shop/auth", 1000))

    assert (result.event, result.linking.links) == (None, ())
    assert result.linking.seen == 3


def test_an_event_begins_at_what_the_others_depend_on():
    """Though an alert of who calls it came first; the way from there is told."""
    me, auth, pay = found(1, "shop/web", -60), found(2, "shop/auth"), found(3, "shop/pay", 30)
    link = Link.between(auth.incident_id, pay.incident_id, LinkReason.NEIGHBOUR, "")

    event = correlated(me, auth, pay, links=(link,)).event

    assert [each.incident_id for each in event.members] == [
        each.incident_id for each in (me, auth, pay)
    ]
    assert [each.reason for each in event.members] == ["itself", "neighbour", "indirect"]
    assert event.likely_root.component == "service/auth"
    assert event.likely_root.incident_id == auth.incident_id
    assert event.likely_root.why == "2 of 2 other incidents are about what depends on it"
    assert event.path == ("service/auth", "service/orders", "service/web")


def test_what_began_much_later_is_no_root():
    """Whoever depends on it had trouble without it."""
    event = correlated(found(1, "shop/orders"), found(2, "shop/auth", 301)).event

    assert event.likely_root.component == "service/orders"


def test_the_first_of_equals_is_the_root():
    """Where nobody depends on anybody, the time decides."""
    one = found(1, "a/x", 20, namespaces=("a",))
    event = correlated(one, found(2, "a/y", 10, namespaces=("a",))).event

    assert event.likely_root.component == "service/y"
    assert event.likely_root.why == "it began first"


def test_a_change_decides_where_time_does_not():
    """Of two that began at once, the one that was changed before."""
    changed = ("deploy of a/y at 2026-11-23T11:58:20.000000Z",)
    one = found(1, "a/x", namespaces=("a",))
    event = correlated(one, found(2, "a/y", namespaces=("a",), changes=changed)).event

    assert event.likely_root.component == "service/y"
    assert event.likely_root.why == "it began first; it was changed before"


def test_what_alerts_complain_of_may_be_the_root_without_an_incident():
    """Two services name a third, which nothing watches."""
    one, other = (
        found(number, service, calls=((service, "shop/db"),))
        for number, service in ((1, "shop/a"), (2, "shop/b"))
    )

    root = correlated(one, other, calls=()).event.likely_root

    assert (root.component, root.incident_id) == ("service/db", None)
    assert "alerts of 2 incidents name it" in root.why


def test_a_node_is_the_root_of_what_runs_on_it():
    """The way leads from the node to the service."""
    me = found(1, "shop/cart", hosts=("n1", "n2"))
    node = found(2, nodes=("n1",))

    event = correlated(me, node).event

    assert event.likely_root.component == "node/n1"
    assert event.path == ("node/n1", "service/cart")
    assert [each.component for each in event.members] == ["service/cart", "node/n1"]


def test_the_order_of_what_is_near_changes_nothing():
    """Neither that of incidents nor that of links."""
    others = [found(2, "shop/auth"), found(3, "shop/pay"), found(4, "shop/orders")]
    links = (
        Link.between(others[0].incident_id, others[1].incident_id, LinkReason.NEIGHBOUR, ""),
        Link.between(others[1].incident_id, others[2].incident_id, LinkReason.NEIGHBOUR, ""),
    )

    results = [
        correlated(found(1, "shop/web"), *order, links=told)
        for order in permutations(others)
        for told in (links, links[::-1])
    ]

    assert all(each == results[0] for each in results)


def test_whom_an_event_grows_for_is_informed():
    """All members, also those that are linked through others; nobody when it stays as it was."""
    me, auth, pay = found(1, "shop/orders"), found(2, "shop/auth"), found(3, "x/y", 5000)
    far = Link.between(auth.incident_id, pay.incident_id, LinkReason.SAME_CHANGE, "")
    known = Link.between(me.incident_id, auth.incident_id, LinkReason.NEIGHBOUR, "")

    grown = correlated(me, auth, pay, links=(far,))
    same = correlated(me, auth, pay, links=(far, known))

    assert [link.ends for link in grown.linking.links] == [known.ends]
    assert grown.linking.informed == (auth.incident_id, pay.incident_id)
    assert (same.linking.links, same.linking.informed) == ((), ())
    assert grown.event == same.event
    assert [each.reason for each in same.event.members] == ["itself", "neighbour", "indirect"]


def test_in_a_storm_an_incident_makes_few_links():
    """Those that tell most, and of these the nearest in time."""
    others = [found(number, "shop/auth", number) for number in range(2, 40)]
    same = found(50, "shop/orders", 500)

    links = correlated(found(1, "shop/orders"), *others, same).linking.links

    assert len(links) == MOST_LINKS
    assert links[0].higher_id == same.incident_id
    assert [link.higher_id[-2:] for link in links[1:]] == [
        f"{number:02d}" for number in range(2, MOST_LINKS + 1)
    ]
