"""What the other incidents of an event tell a diagnosis."""

from unit.diagnose.evidence_factory import alert, at, diagnosed, errors, nearby

from opssage.linking import EventMember, IncidentEvent, LikelyRoot

WEB = alert("ErrorsHigh", namespace="shop", service="web")
CALLS = {"web": ("cart",)}


def member(number: int, name: str, component: str, *, reason: str, starts: float) -> EventMember:
    """Return an incident of an event."""
    return EventMember(
        incident_id=f"i{number}",
        alert_name=name,
        severity="warning",
        component=component,
        onset=at(starts),
        reason=reason,
    )


def event(*, starts: float = -30, root: int = 2) -> IncidentEvent:
    """Return the event of the incident of web and one of cart, where it began."""
    return IncidentEvent(
        event_id="i1",
        members=(
            member(2, "CartDown", "service/cart", reason="neighbour", starts=starts),
            member(1, "ErrorsHigh", "service/web", reason="itself", starts=0),
        ),
        likely_root=LikelyRoot(
            component="service/cart", incident_id=f"i{root}", since=at(starts), why="it began first"
        ),
        path=("service/cart", "service/web"),
    )


def chance(report, component: str) -> float:
    """Return how likely the fault is thought to lie there."""
    return sum(each.probability for each in report.hypotheses if each.component == component)


def test_an_incident_of_the_same_event_speaks_for_its_component():
    """As an alert does that was seen beside the incident's own."""
    seen = (WEB, errors("web"), errors("cart"))

    alone = diagnosed(*seen, calls=CALLS)
    linked = diagnosed(*seen, calls=CALLS, event=event())
    beside = diagnosed(
        *seen, nearby("CartDown", starts=-30, namespace="shop", service="cart"), calls=CALLS
    )

    told = [chance(each, "service/cart") for each in (alone, linked, beside)]
    assert told[0] < told[1] == told[2]
    assert any("CartDown is another incident" in step for step in linked.reasoning_steps)


def test_what_evidence_tells_of_an_incident_is_not_told_twice():
    """Alertmanager may have shown its alert already."""
    seen = (
        *(WEB, errors("web"), errors("cart")),
        nearby("CartDown", starts=-30, namespace="shop", service="cart"),
    )

    report = diagnosed(*seen, calls=CALLS, event=event())

    assert not any("is another incident" in step for step in report.reasoning_steps)


def test_an_incident_of_another_time_speaks_for_nothing():
    """It is linked through others; its trouble began hours before."""
    seen = (WEB, errors("web"), errors("cart"))

    far = diagnosed(*seen, calls=CALLS, event=event(starts=-7200))

    assert chance(far, "service/cart") == chance(diagnosed(*seen, calls=CALLS), "service/cart")


def test_a_report_says_where_the_event_began():
    """And which incident to look at first."""
    report = diagnosed(WEB, errors("web"), errors("cart"), calls=CALLS, event=event())

    assert (
        "One event with 1 other incident, which likely began at cart at 2026-11-23T02:59:30Z: "
        "it began first" in report.reasoning_steps
    )
    assert report.next_checks[0].startswith("Look first at incident i2 about cart")


def test_an_event_that_began_here_sends_nobody_elsewhere():
    """This is the incident to look at."""
    report = diagnosed(WEB, errors("web"), calls=CALLS, event=event(root=1))

    assert not any("Look first" in check for check in report.next_checks)
