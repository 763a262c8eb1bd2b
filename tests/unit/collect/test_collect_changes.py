"""Reported changes as evidence."""

from datetime import timedelta
from time import monotonic

import pytest
from unit.collect.stand_ins import ONSET, make_alert, make_scope

from opssage.changes import ChangeKind, ReportedChange
from opssage.evidence import SourceStatus
from opssage.graph import Edge, ServiceGraph
from tasks.collect.analysis import first_sight
from tasks.collect.changes import MOST_CHANGES, MOST_TOLD, ChangesSource

CART = make_alert({"alertname": "A", "namespace": "shop", "service": "cart"})


def change(summary="new price cache", *, before=120.0, **told):
    """A deploy so many seconds before onset."""
    at = ONSET - timedelta(seconds=before)
    return ReportedChange(kind=told.pop("kind", ChangeKind.DEPLOY), summary=summary, at=at, **told)


def ask(*changes, alert=CART):
    """Ask about an alert of a service that calls another one."""
    graph = ServiceGraph.of([Edge(caller="shop/cart", called="shop/price", source="file")])
    scope = make_scope(alert, changes=changes, declared=graph)
    return ChangesSource().ask(scope, monotonic())


def test_a_change_is_evidence_with_its_time_to_onset():
    """Who, what, where, from what to what."""
    told = change(
        service="cart",
        namespace="shop",
        by="ann",
        version_before="1.7.3",
        version_after="1.8.0",
        url="https://ci/512",
        details={"commit": "8c1f2ab"},
    )

    (item,) = ask(told).evidence

    assert item.summary == (
        "deploy of service cart (shop) by ann at 02:58:00Z, 120 s before onset: "
        "new price cache (1.7.3 → 1.8.0)"
    )
    assert item.subject == {"namespace": "shop", "service": "cart"}
    assert item.data == {
        "change": "deploy",
        "at": "2026-11-23T02:58:00.000000Z",
        "seconds_before_onset": 120.0,
        "from": "1.7.3",
        "to": "1.8.0",
        "by": "ann",
        "url": "https://ci/512",
        "details": {"commit": "8c1f2ab"},
        "summary": "new price cache",
        "relation": "same_service",
    }


@pytest.mark.parametrize(
    ("where", "relation"),
    [
        ({"service": "cart"}, "same_service"),
        ({"service": "cart", "namespace": "shop"}, "same_service"),
        ({"service": "price", "namespace": "shop"}, "neighbour"),
        ({"service": "web", "namespace": "shop"}, "same_namespace"),
        ({"namespace": "shop"}, "same_namespace"),
        ({}, "everywhere"),
        ({"service": "cart", "namespace": "test"}, None),
        ({"service": "web"}, None),
        ({"namespace": "billing"}, None),
    ],
    ids=str,
)
def test_a_change_concerns_the_alerts_by_its_place(where, relation):
    """What is near is evidence; what is elsewhere is counted."""
    answer = ask(change(**where))

    assert [item.data["relation"] for item in answer.evidence] == ([relation] if relation else [])
    assert answer.reports[0].error == ("" if relation else "left out 1 elsewhere")


def test_what_the_alert_complains_of_is_a_neighbour():
    """Whoever is called may be at fault."""
    labels = {"alertname": "A", "namespace": "shop", "service": "cart", "dependency": "billing"}

    answer = ask(change(service="billing", namespace="pay"), alert=make_alert(labels))

    assert answer.evidence[0].data["relation"] == "neighbour"


def test_alerts_that_name_no_place_are_told_of_every_change():
    """Nothing is known to be elsewhere."""
    answer = ask(change(service="web"), alert=make_alert({"alertname": "A"}))

    assert len(answer.evidence) == 1


def test_changes_are_told_oldest_first_and_none_from_after_the_window():
    """Those between onset and the window's end too."""
    answer = ask(*(change(str(n), before=n, service="cart") for n in (60, 86_000, -30, -3600)))

    assert [item.data["summary"] for item in answer.evidence] == ["86000", "60", "-30"]
    assert answer.evidence[-1].summary.startswith(
        "deploy of service cart at 03:00:30Z, 30 s after onset"
    )
    (report,) = answer.reports
    assert report.error == "left out 1 after the time looked at"


def test_of_many_changes_the_nearest_are_told():
    """Those of the service before those of its namespace, then by their distance to onset."""
    own = change("own", before=80_000, service="cart")
    others = [change(str(n), before=n + 1, namespace="shop") for n in range(MOST_CHANGES - 1)]

    answer = ask(own, *others)

    told = [item.data["summary"] for item in answer.evidence]
    assert told == ["own", *(str(n) for n in reversed(range(MOST_TOLD - 1)))]
    (report,) = answer.reports
    assert (report.status, report.truncated) == (SourceStatus.OK, True)
    assert "kept the nearest 20 of 500" in report.error
    assert "only the newest 500" in report.error


def test_no_change_is_a_line_of_the_ledger():
    """With the command that lists them."""
    (report,) = ask().reports

    assert (report.source, report.status) == ("changes", SourceStatus.EMPTY)
    assert report.query.startswith("opssage change list --until 2026-11-23T03:")


def test_a_change_of_long_ago_does_not_stand_out():
    """It is evidence, and no observation."""
    answer = ask(*(change(str(n), before=n, service="cart") for n in (8000, 7000)))

    seen = first_sight(answer.evidence, answer.reports, make_scope(CART).targets)

    assert [line.rpartition(" ")[2] for line in seen.observations] == ["7000"]
