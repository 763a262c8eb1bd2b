"""Events of Kubernetes as evidence."""

from datetime import timedelta

import pytest
from unit.collect.kubernetes_stand_ins import (
    ONSET,
    WEB,
    FakeKubernetes,
    ask,
    at,
    event,
    pod,
    recorded,
    reply,
)

from opssage.evidence import EvidenceKind

MINUTE = timedelta(minutes=1)


def told(cluster, *alerts, **scope):
    found = ask(cluster, *alerts, **scope).evidence
    return [item for item in found if item.kind is EvidenceKind.EVENT]


def happened(moment, **more):
    return event("BackOff", ("Pod", "web-1"), lastTimestamp=at(moment), **more)


def by_name(items):
    return sorted(
        (item.data["object"]["name"], item.data["reason"], item.data["count"], item.data["last_at"])
        for item in items
    )


@pytest.mark.parametrize(
    ("path", "answer"), [("/api/v1/", "events_list"), ("events.k8s.io", "events_k8s_io_v1")]
)
def test_both_apis_tell_the_same(path, answer):
    """With other names, and for some events with no time but `eventTime`."""
    cluster = FakeKubernetes()
    cluster.refuse("/events.k8s.io/", reply(answer))
    cluster.refuse("/shop/events", reply("forbidden_403_list_pods"))
    if path == "/api/v1/":
        cluster.refusals = {"/shop/events": reply(answer)}

    assert by_name(told(cluster)) == [
        ("checkout-7d9f-crash", "BackOff", 42, "2026-11-23T03:01:00.000000Z"),
        ("checkout-7d9f-ok", "Unhealthy", 3, "2026-11-23T03:01:00.000000Z"),
        ("checkout-img", "Failed", 6, "2026-11-23T03:01:00.000000Z"),
        ("pay-pending", "FailedScheduling", 1, "2026-11-23T03:01:00.123456Z"),
    ]


def test_the_other_api_is_asked_only_where_the_first_is_refused():
    """Both show the same events."""
    cluster = FakeKubernetes()

    ask(cluster)

    assert not any("events.k8s.io" in path for path in cluster.paths)


def test_event_says_who_saw_what_of_whom_and_when():
    """What diagnosis reads of it."""
    cluster = FakeKubernetes().has(happened(ONSET + MINUTE, count=7, message="again"))

    (item,) = told(cluster)

    assert item.data == {
        "type": "Warning",
        "reason": "BackOff",
        "message": "again",
        "count": 7,
        "first_at": "2026-11-23T03:00:00.000000Z",
        "last_at": "2026-11-23T03:01:00.000000Z",
        "object": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
        "reported_by": "kubelet",
        "after_window": False,
    }


def test_event_of_a_series_is_as_old_as_its_last_time():
    """Newer components count in `series`."""
    series = {"count": 9, "lastObservedTime": at(ONSET + 2 * MINUTE)}
    cluster = FakeKubernetes().has(
        event("BackOff", ("Pod", "web-1"), series=series, lastTimestamp=None, count=None)
    )

    (item,) = told(cluster)

    assert (item.data["count"], item.data["last_at"]) == (9, "2026-11-23T03:02:00.000000Z")


def test_events_that_say_the_same_are_one():
    """Their counts add up, and the time spans both."""
    one = happened(ONSET + MINUTE, count=2)
    other = {
        **happened(ONSET + 2 * MINUTE, count=3),
        "metadata": {"name": "z", "namespace": "shop"},
    }

    (item,) = told(FakeKubernetes().has(one, other))

    assert (item.data["count"], item.data["last_at"]) == (5, "2026-11-23T03:02:00.000000Z")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (ONSET - 40 * MINUTE, []),
        (ONSET + 5 * MINUTE, [False]),
        (ONSET + 30 * MINUTE, [True]),
        (ONSET + 61 * MINUTE, [True]),
        (ONSET + 63 * MINUTE, []),
    ],
)
def test_what_happened_after_the_window_is_marked(moment, expected):
    """The states of objects are those of now; a clock may be a little ahead of ours."""
    found = told(FakeKubernetes().has(happened(moment, firstTimestamp=at(moment))))

    assert [item.data["after_window"] for item in found] == expected


def test_event_of_a_clock_that_is_ahead_is_one_of_now_and_marked():
    """It has happened, since the API server tells of it."""
    ahead = ONSET + 61 * MINUTE

    (item,) = told(FakeKubernetes().has(happened(ahead, firstTimestamp=at(ahead))))

    assert item.data["first_at"] == item.data["last_at"] == "2026-11-23T04:00:00.000000Z"
    assert item.data["clock_ahead_seconds"] == 60.0
    assert "last at 04:00:00Z" in item.summary


def test_event_too_far_ahead_is_counted_in_the_ledger():
    """Such a clock is wrong; nobody should think that nothing happened."""
    found = ask(FakeKubernetes().has(happened(ONSET + 63 * MINUTE)))

    (line,) = [each for each in found.reports if "ahead" in each.error]
    assert line.error == ("so many events and rollouts are more than 120 s ahead of this clock: 1")


def test_everyday_events_are_left_out():
    """A scaled replica set tells of a change, a pulled image of nothing."""
    cluster = FakeKubernetes().has(
        event("Pulled", ("Pod", "web-1"), type="Normal"),
        event("ScalingReplicaSet", ("Deployment", "web"), type="Normal"),
    )

    assert [item.data["reason"] for item in told(cluster)] == ["ScalingReplicaSet"]


def test_events_about_the_alerts_own_objects_come_first():
    """Then warnings, then the newest."""
    cluster = FakeKubernetes().has(
        pod("web-1", owner=("Deployment", "web")),
        event("FailedMount", ("Pod", "other-1"), lastTimestamp=at(ONSET + 3 * MINUTE)),
        event("Unhealthy", ("Pod", "web-1")),
    )

    assert [item.data["reason"] for item in told(cluster, WEB)] == ["Unhealthy", "FailedMount"]


def test_few_events_of_the_same_reason_tell_of_pods_that_are_gone():
    """Their names tell what they belonged to."""
    gone = [event("Unhealthy", ("Pod", f"web-{n}")) for n in range(9)]

    assert len(told(FakeKubernetes().has(*gone))) == 3


def test_event_is_about_the_workload_of_its_pod():
    """So that it counts for the component."""
    cluster = FakeKubernetes().has(pod("web-1", owner=("Deployment", "web")), happened(ONSET))

    (item,) = told(cluster)

    assert item.subject["workload"] == "web"


def test_events_without_a_time_are_nothing():
    """Nothing can be said of when."""
    cluster = FakeKubernetes()
    broken = recorded("events_list")["body"]["items"][0]
    cluster.has({"kind": "Event", **broken, "involvedObject": {}})

    assert told(cluster) == []
