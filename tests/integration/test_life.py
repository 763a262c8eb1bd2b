"""The life of an incident, a rule a test: which one an alert enters, and when that is over."""

import random
from dataclasses import replace
from itertools import permutations

import pytest
from factories import alert, at, group
from steps import opened, rows, timeline

from opssage.incident import AlertStatus, Disposition, Status
from store import IncidentFilter

OTHER = '{}:{alertname="Other"}'
HOUR = 3600


@pytest.fixture
def store(store_with):
    """A store that goes by the settings of an installation."""
    return store_with()


def test_a_start_that_moves_a_little_is_the_same_episode(store):
    """Earlier by any time and later by at most `drift_seconds`: a repeat, in whatever group."""
    incident_id = opened(store)

    for moved in (-2 * HOUR, -60, 60, 300):
        receipt = store.create_incident(group(alert(starts_at=at(moved)), key=OTHER))
        assert (receipt.duplicates, receipt.incidents[0].incident_id) == (1, incident_id)

    assert rows(store, incident_id) == ["0 firing"]


def test_an_alert_returns_to_the_open_incident_that_knows_it(store, wait):
    """Its group's newest incident comes second."""
    first = opened(store, alert("A"), alert("B"))
    opened(store, alert("A", resolved_after=60))
    second = opened(store, alert("C"), key=OTHER)

    assert opened(store, alert("A", starts_at=at(120)), key=OTHER) == first
    assert opened(store, alert("D"), key=OTHER) == second


def test_an_incident_takes_no_further_alerts_after_a_day(store, wait):
    """The next one opens an incident that is linked to it; repeats stay where they are."""
    first = opened(store)
    wait(25 * HOUR)

    second = opened(store, alert("Other", starts_at=at(25 * HOUR)))

    assert second != first
    assert store.get_incident(second).previous_id == first
    assert opened(store) == first
    assert opened(store, alert("Third", starts_at=at(25 * HOUR))) == second


def test_an_alert_leaves_the_incident_that_is_cut_with_its_next_start(store, wait):
    """Even while other alerts fire there."""
    first = opened(store, alert(), alert(pod="b"))
    wait(25 * HOUR)

    second = opened(store, alert(starts_at=at(25 * HOUR)))

    assert store.get_incident(second).previous_id == first
    assert rows(store, first) == ["0 firing", "0-90000 superseded"]


@pytest.mark.parametrize(
    ("ago", "starts", "is_reopened"),
    [(800, 860, True), (1000, 70, False), (0, 960, True), (0, 961, False), (800, 961, False)],
)
def test_an_incident_is_reopened_soon_after_its_end(store, wait, ago, starts, is_reopened):
    """`reopen_seconds` by our clock, and by the sender's: else a new one is linked to it."""
    first = opened(store)
    opened(store, alert(resolved_after=60))
    wait(ago)

    second = opened(store, alert("Other", starts_at=at(starts)))

    assert (second == first) is is_reopened
    assert store.get_incident(second).previous_id == (None if is_reopened else first)
    assert (store.get_incident(first).resolved_at is None) is is_reopened


def test_groups_of_one_request_find_their_incidents_each(store):
    """They are one transaction, and open one incident each."""
    receipt = store.create_incident(
        group(alert("A"), key="a"), group(alert("B"), alert("C"), key="b")
    )

    assert [touched.opened for touched in receipt.incidents] == [True, True]
    assert opened(store, alert("D"), key="a") == opened(store, alert("A"), key="a")
    assert opened(store, alert("B"), key="b") != opened(store, alert("A"), key="a")


def test_an_incident_keeps_the_envelope_of_its_own_group(store):
    """An alert that comes with another group may lead it, under its own envelope."""
    first = opened(store, alert("A"), alert("B"), group_labels={"team": "one"})
    opened(store, alert("A", resolved_after=60))

    worse = alert("A", starts_at=at(120))
    opened(store, worse, key=OTHER, group_labels={"team": "two"})

    shown = store.get_incident(first).alert_input
    assert shown["timestamp"] == "2026-11-23T12:02:00.000000Z"
    assert (shown["group_key"], shown["group_labels"]) == (group().group_key, {"team": "one"})


def test_a_later_start_is_an_episode_of_its_own(store):
    """Nobody told the end of the older one: it ends with the new start, and its incident too."""
    first = opened(store)

    second = opened(store, alert(starts_at=at(301)))

    assert store.get_incident(second).previous_id == first
    assert rows(store, first) == ["0-301 superseded"]
    assert store.get_incident(first).resolved_at == at(301)
    assert timeline(store, first) == [("resolved", {})]


def test_a_later_start_stays_where_other_alerts_fire(store):
    """The incident goes on, with both starts of the alert."""
    incident_id = opened(store, alert(), alert(pod="b"))

    assert opened(store, alert(starts_at=at(2 * HOUR))) == incident_id

    assert rows(store, incident_id) == [
        "0 firing",
        "0-7200 superseded",
        "7200 firing",
    ]
    assert store.get_incident(incident_id).resolved_at is None


@pytest.mark.parametrize("name", ["Aaa", "Bbb", "Ccc", "Ddd"])
def test_a_group_that_starts_anew_is_a_new_episode(store, name):
    """No alert of the older one fires any more, in whatever order they are looked at."""
    first = opened(store, alert("A"), alert("B"))

    second = opened(
        store, *(alert(each, starts_at=at(2 * HOUR)) for each in ("A", "B")), alert(name)
    )

    assert store.get_incident(second).previous_id == first
    assert len(rows(store, second)) == 3
    assert store.get_incident(first).resolved_at == at(2 * HOUR)


def test_an_alert_may_come_with_two_starts_at_once(store):
    """As if they had come one after the other, in whatever order they are listed."""
    early, late = alert(), alert(starts_at=at(2 * HOUR))

    receipt = store.create_incident(group(late, early))

    first, second = sorted(touched.incident_id for touched in receipt.incidents)
    assert store.get_incident(second).previous_id == first
    assert [rows(store, each) for each in (first, second)] == [
        ["0-7200 superseded"],
        ["7200 firing"],
    ]
    assert store.get_incident(first).resolved_at == at(2 * HOUR)
    assert store.create_incident(group(late, early)).accepted == 0


def test_an_earlier_start_that_comes_later_is_a_repeat(store):
    """A message of the older episode that was held up opens and ends nothing."""
    opened(store)
    second = opened(store, alert(starts_at=at(2 * HOUR)))

    assert opened(store) == second

    assert rows(store, second) == ["7200 firing"]


def test_an_end_is_of_the_episode_that_it_lies_in(store):
    """One before the start of what fires ends an episode before it."""
    first = opened(store)
    second = opened(store, alert(starts_at=at(2 * HOUR)))

    opened(store, alert(resolved_after=HOUR))

    assert rows(store, first) == ["0-3600 sender"]
    assert rows(store, second) == ["7200 firing"]
    assert store.get_incident(first).resolved_at == at(HOUR)


@pytest.mark.parametrize("moved", [-120, 0, 120])
def test_an_end_with_a_moved_start_ends_what_fires(store, moved):
    """`startsAt` of an end may be another than that of the alert."""
    incident_id = opened(store)

    opened(store, alert(starts_at=at(moved), resolved_after=300 - moved))

    assert rows(store, incident_id) == ["0-300 sender"]
    assert store.get_incident(incident_id).resolved_at == at(300)


@pytest.mark.parametrize("order", list(permutations((30, 60, 90))))
def test_the_latest_of_several_ends_counts(store, order):
    """Peers of an Alertmanager may tell different ends, in any order."""
    incident_id = opened(store)

    for resolved_after in order:
        opened(store, alert(resolved_after=resolved_after))

    assert rows(store, incident_id) == ["0-90 sender"]
    assert store.get_incident(incident_id).resolved_at == at(90)
    assert timeline(store, incident_id) == [("resolved", {})]


def test_peers_may_tell_one_end_with_different_starts(store):
    """The second one is no other episode, and its end counts when it is later."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))

    for moved in (-1, 1):
        receipt = store.create_incident(group(alert(starts_at=at(moved), resolved_after=60)))
        assert receipt.incidents[0].incident_id == incident_id

    assert rows(store, incident_id) == ["0-61 sender"]
    assert store.list_strays() == []


def test_an_end_without_a_time_is_when_it_became_known(store, wait):
    """What other alerts of the incident said before does not date it back."""
    incident_id = opened(store, alert(), alert(pod="b"))
    opened(store, alert(starts_at=at(-2 * HOUR), resolved_after=2 * HOUR + 1))
    before = store.get_incident(incident_id).updated_at

    endless = replace(alert(pod="b"), status=AlertStatus.RESOLVED)
    opened(store, endless)

    assert store.get_incident(incident_id).resolved_at >= before
    assert store.create_incident(group(endless)).duplicates == 1


def test_an_incident_ends_with_the_last_of_its_alerts(store):
    """However the group is put together; each alert has a status of its own."""
    incident_id = opened(store, alert(), alert(pod="b"), alert(pod="c"))

    opened(store, alert(resolved_after=90), alert(pod="b"), alert(pod="c", resolved_after=60))
    assert store.get_incident(incident_id).resolved_at is None
    opened(store, alert(pod="b", resolved_after=70))

    assert store.get_incident(incident_id).resolved_at == at(90)
    assert timeline(store, incident_id) == [("resolved", {})]


def test_alerts_that_a_message_leaves_out_still_fire(store):
    """Nothing is inferred of them, and the most that were left out is noted."""
    incident_id = opened(store, alert(), alert(pod="b"), truncated_alerts=1)

    for number in (5, 3, 0):
        opened(store, alert(resolved_after=60), truncated_alerts=number)

    incident = store.get_incident(incident_id)
    assert (incident.resolved_at, incident.truncated_alerts) == (None, 5)
    assert timeline(store, incident_id) == [("truncated", {"alerts": 5})]


def test_the_end_of_the_unknown_opens_nothing(store):
    """It is kept with the reason, so that its late beginning opens nothing that fires."""
    receipt = store.create_incident(group(alert(resolved_after=60)))

    assert (receipt.accepted, receipt.ignored, receipt.incidents) == (1, 0, ())
    (stray,) = store.list_strays()
    assert stray.disposition == Disposition.RESOLVED_ONLY


def test_a_firing_alert_that_its_end_has_overtaken_is_late(store, wait):
    """Deliveries overtake each other, and come twice."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))
    wait(15)

    for start in (-60, 0, 59):
        assert store.create_incident(group(alert(starts_at=at(start)))).duplicates == 1

    assert store.get_incident(incident_id).resolved_at == at(60)
    assert timeline(store, incident_id) == [("resolved", {})]


def test_a_start_after_the_end_is_never_late(store):
    """However soon it comes."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))

    opened(store, alert(starts_at=at(60)))

    assert rows(store, incident_id) == ["0-60 sender", "60 firing"]
    assert store.get_incident(incident_id).resolved_at is None


def test_what_is_heard_of_after_its_end_is_opened_as_over(store, wait):
    """It is diagnosed like any other, and fires for nobody."""
    store.create_incident(group(alert(resolved_after=60)))
    wait(15)

    incident_id = opened(store)

    incident = store.get_incident(incident_id)
    assert (incident.resolved_at, incident.status) == (at(60), Status.PENDING)
    assert rows(store, incident_id) == ["0-60 sender"]
    assert store.list_strays() == []


def test_what_fires_well_after_its_end_was_told_has_come_back(store, wait):
    """What fires is not dropped for what was said before."""
    store.create_incident(group(alert(resolved_after=60)))
    wait(30)

    incident_id = opened(store)

    assert rows(store, incident_id) == ["0 firing"]
    assert store.get_incident(incident_id).resolved_at is None


def test_what_is_heard_of_after_its_end_joins_the_incident_of_its_group(store):
    """Open or over; it does not make it fire."""
    incident_id = opened(store)
    store.create_incident(group(alert(pod="b", resolved_after=60)))
    assert opened(store, alert(pod="b")) == incident_id
    opened(store, alert(resolved_after=30))
    store.create_incident(group(alert(pod="c", resolved_after=90)))

    assert opened(store, alert(pod="c")) == incident_id

    assert rows(store, incident_id) == ["0-30 sender", "0-60 sender", "0-90 sender"]
    assert store.get_incident(incident_id).resolved_at == at(90)
    joined = ("joined", {"alerts": 1})
    assert timeline(store, incident_id) == [joined, ("resolved", {}), joined]


@pytest.mark.parametrize("after", [30, HOUR, 25 * HOUR])
def test_an_alert_that_returns_with_its_start_reopens_its_incident(store, wait, after):
    """It never ended, however long its Prometheus was away."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))
    wait(after)

    assert opened(store) == incident_id

    incident = store.get_incident(incident_id)
    assert (incident.resolved_at, incident.flap_count, incident.flapping) == (None, 1, False)
    assert rows(store, incident_id) == ["0 firing"]
    assert timeline(store, incident_id) == [("resolved", {}), ("reopened", {"alerts": 1})]


def test_an_incident_that_was_reopened_ends_again(store, wait):
    """With the later end, and on its timeline."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))
    wait(30)
    opened(store)

    opened(store, alert(resolved_after=HOUR))

    assert store.get_incident(incident_id).resolved_at == at(HOUR)
    assert [kind for kind, _ in timeline(store, incident_id)] == [
        "resolved",
        "reopened",
        "resolved",
    ]


def test_an_alert_may_return_and_end_in_one_request(store, wait):
    """As if it had come back and ended one after the other."""
    incident_id = opened(store)
    opened(store, alert(resolved_after=60))
    wait(30)

    opened(store, alert(resolved_after=HOUR), alert())

    assert rows(store, incident_id) == [f"0-{HOUR} sender"]
    assert store.get_incident(incident_id).resolved_at == at(HOUR)
    assert [kind for kind, _ in timeline(store, incident_id)] == [
        "resolved",
        "reopened",
        "resolved",
    ]


def test_the_order_of_alerts_and_groups_in_a_request_changes_nothing(store):
    """Senders list them by labels, and mean nothing by it."""
    life = [
        [alert("A"), alert("A", starts_at=at(2 * HOUR)), alert("B", resolved_after=60)],
        [alert("C"), alert("B", starts_at=at(120)), alert("D")],
        [alert("C", resolved_after=30), alert("A", starts_at=at(5 * HOUR)), alert("E")],
    ]
    chance = random.Random(4)

    assert len({lived(store, f"sender {n}", life, chance) for n in range(12)}) == 1


def lived(store, sender, requests, chance):
    """Send requests of two groups, shuffled by chance, and return what became of them."""
    for alerts in requests:
        shuffled = chance.sample(alerts, len(alerts))
        groups = [
            group(
                *(each for each in shuffled if (each.name in "AD") is is_first), key=str(is_first)
            )
            for is_first in chance.sample((True, False), 2)
        ]
        store.create_incident(*(replace(each, sender=sender) for each in groups))
    listed = store.list_incidents(IncidentFilter(sender=[sender]))
    made = [store.get_incident(incident.incident_id) for incident in listed]
    ids = [incident.incident_id for incident in made]
    return frozenset(
        (
            tuple(rows(store, incident.incident_id)),
            incident.resolved_at,
            incident.alert_seq,
            incident.alert_input["timestamp"],
            incident.previous_id in ids,
        )
        for incident in made
    )


def test_an_alert_that_tells_no_start_is_the_one_that_fires(store):
    """Whoever posts by hand does not say when it began: an hour later it is a repeat."""
    incident_id = opened(store)
    later = replace(alert(starts_at=at(HOUR)), has_start=False)

    receipt = store.create_incident(group(later))

    assert [touched.incident_id for touched in receipt.incidents] == [incident_id]
    assert receipt.duplicates == 1
