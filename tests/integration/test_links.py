"""Links between incidents: made once, news to whom they concern, and never without an end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from factories import REPORT, alert, at
from sqlalchemy import update
from steps import claimed, opened, timeline

from opssage.errors import LostClaimError
from opssage.incident import Stage, Status
from opssage.linking import Footprint, Link, Linking, LinkReason, Vicinity
from opssage.notification import Outcome
from store import Store, tables
from store.links import MOST_CANDIDATES, MOST_REVISIONS

HOUR = 3600
PRINT = Footprint(onset=at(0), services=("shop/cart",), calls=(("shop/cart", "shop/auth"),))


@pytest.fixture
def store(store_with):
    """A store that goes by the settings of an installation."""
    return store_with()


def incident(store: Store, name: str) -> UUID:
    """Open an incident of a group of its own."""
    return opened(store, alert(name), key=name)


def near(store: Store, incident_id: UUID) -> Vicinity:
    """Return what an incident that begins now may be linked with."""
    now = datetime.now(UTC)
    return store.vicinity(incident_id, now - timedelta(hours=1), now + timedelta(hours=1))


def link(one: UUID, other: UUID) -> Link:
    """Return a link of two incidents."""
    return Link.between(str(one), str(other), LinkReason.NEIGHBOUR, "5 s apart: neighbour")


def collected(store: Store, incident_id: UUID) -> None:
    """Run the first stage."""
    epoch = claimed(store, incident_id).epoch
    store.update_primary_context(incident_id, epoch, {"alert_seq": 1}, footprint=PRINT)


def enriched(store: Store, incident_id: UUID, *others: UUID, seen: int | None = None) -> None:
    """Run the second stage, which links the incident with others."""
    seen = near(store, incident_id).seen if seen is None else seen
    epoch = claimed(store, incident_id, Stage.ENRICH).epoch
    linking = Linking(
        seen=seen,
        links=tuple(link(incident_id, other) for other in others),
        informed=tuple(map(str, others)),
    )
    store.update_enhanced_context(incident_id, epoch, {}, linking)


def diagnosed(store: Store, incident_id: UUID) -> None:
    """Run the third stage."""
    epoch = claimed(store, incident_id, Stage.DIAGNOSE).epoch
    store.update_diagnostic_report(incident_id, epoch, REPORT)


def run(store: Store, incident_id: UUID, *others: UUID) -> None:
    """Run all stages."""
    collected(store, incident_id)
    enriched(store, incident_id, *others)
    diagnosed(store, incident_id)


def test_a_link_has_the_other_incident_diagnosed_again_after_the_cooldown(store, wait):
    """Once: the revision knows it, and finds nothing that is not there already."""
    first, second = incident(store, "A"), incident(store, "B")
    run(store, first)
    run(store, second, first)
    assert store.start_revisions(10) == 0

    wait(300)
    assert store.start_revisions(10) == 1
    run(store, first, second)

    wait(HOUR)
    assert store.start_revisions(10) == 0
    assert [store.get_incident(each).revision for each in (first, second)] == [2, 1]


def test_a_link_is_told_to_both(store):
    """On their timelines, in their lists, and by another version."""
    first, second = incident(store, "A"), incident(store, "B")
    run(store, first)
    before = store.get_incident(first)

    run(store, second, first)

    for mine, its, name in ((first, second, "B"), (second, first, "A")):
        (linked,) = store.list_links(mine)
        assert (linked.incident_id, linked.reason, linked.alert_name) == (its, "neighbour", name)
        told = {"incident_id": str(its), "reason": "neighbour"}
        assert timeline(store, mine) == [("linked", told)]
    after = store.get_incident(first)
    assert (after.version, after.status) == (before.version + 1, Status.COMPLETED)


def test_links_of_many_are_gathered(store, wait):
    """However many incidents come one after the other, the first is diagnosed once more."""
    first = incident(store, "first")
    run(store, first)
    for name in "ABCDE":
        run(store, incident(store, name), first)
        wait(50)

    wait(300)
    assert store.start_revisions(10) == 1
    run(store, first)
    wait(HOUR)
    assert store.start_revisions(10) == 0


@pytest.mark.parametrize("stage", [Stage.ENRICH, Stage.DIAGNOSE])
def test_a_link_that_is_made_while_an_incident_is_worked_on_is_not_missed(store, wait, stage):
    """What enrich had not read, or came after it, is looked at in the next revision."""
    first, second = incident(store, "A"), incident(store, "B")
    collected(store, first)
    seen = near(store, first).seen
    if stage is Stage.ENRICH:
        run(store, second, first)
    enriched(store, first, seen=seen)
    if stage is Stage.DIAGNOSE:
        run(store, second, first)
    diagnosed(store, first)

    assert store.start_revisions(10) == 0
    wait(300)
    assert store.start_revisions(10) == 1


def test_a_link_that_enrich_has_read_is_no_news(store, wait):
    """It was made before, while the incident was not looked at yet."""
    first, second = incident(store, "A"), incident(store, "B")
    collected(store, first)
    run(store, second, first)

    enriched(store, first, second)
    diagnosed(store, first)

    wait(HOUR)
    assert store.start_revisions(10) == 0


def test_a_link_leaves_what_runs_to_its_worker(store):
    """Its status, its epoch and its next message stay."""
    first, second = incident(store, "A"), incident(store, "B")
    claim = claimed(store, first)

    run(store, second, first)

    store.update_primary_context(first, claim.epoch, {"alert_seq": 1})
    assert store.get_incident(first).status is Status.CONTEXT_COLLECTED


def test_an_incident_that_flaps_is_not_diagnosed_again_for_a_link(store_with, wait):
    """Nothing starts a revision of it by itself."""
    store = store_with(flap_max=1)
    first, second = incident(store, "A"), incident(store, "B")
    run(store, first)
    opened(store, alert("A", resolved_after=60), key="A")
    wait(30)
    opened(store, alert("A"), key="A")
    assert store.get_incident(first).flapping

    run(store, second, first)

    wait(HOUR)
    assert store.start_revisions(10) == 0


def test_an_incident_that_was_given_up_is_not_tried_again_for_a_link(store, wait):
    """It would fail and be due without an end; who asks for another run has it looked at."""
    first, second = incident(store, "A"), incident(store, "B")
    epoch = claimed(store, first).epoch
    store.update_status(first, Stage.COLLECT, epoch, {"class": "Bug"}, give_up=True)

    run(store, second, first)

    wait(HOUR)
    assert store.start_revisions(10) == 0


def test_links_alone_have_an_incident_diagnosed_ten_times_at_most(store, emptied, wait):
    """It has been looked at often enough."""
    first, second = incident(store, "A"), incident(store, "B")
    run(store, first)
    with emptied.begin() as connection:
        mine = tables.incidents.c.incident_id == first
        often = update(tables.incidents).where(mine).values(revision=MOST_REVISIONS)
        connection.execute(often)

    run(store, second, first)

    wait(HOUR)
    assert store.start_revisions(10) == 0


def test_a_deleted_incident_is_linked_with_nobody(store):
    """Neither by links from before nor by one that is committed too late."""
    first, second, third = (incident(store, name) for name in "ABC")
    run(store, first)
    run(store, second, first)

    store.delete_incident(first)
    run(store, third, first, second)

    assert [each.incident_id for each in store.list_links(second)] == [third]
    assert near(store, third).links == (link(second, third),)


def test_a_late_result_links_nobody(store):
    """The claim has passed on, and with it the right to write."""
    first, second = incident(store, "A"), incident(store, "B")
    collected(store, second)
    epoch = claimed(store, second, Stage.ENRICH, lease_seconds=-1).epoch
    claimed(store, second, Stage.ENRICH, task_id="t2")

    with pytest.raises(LostClaimError):
        store.update_enhanced_context(second, epoch, {}, Linking(links=(link(first, second),)))

    assert store.list_links(first) == []


def test_links_stay_when_an_incident_is_archived(store, wait):
    """What belonged together is found from both."""
    first, second = incident(store, "A"), incident(store, "B")
    run(store, second)
    run(store, first)
    run(store, incident(store, "C"), first, second)
    wait(300)
    store.start_revisions(10)
    for each in (first, second):
        run(store, each)
    opened(store, alert("A", resolved_after=60), key="A")
    for effect in store.take_effects("chat", 100, 60):
        store.end_effect(effect, Outcome.SENT)

    assert store.archive_incidents(-HOUR * 24 * 365 * 100, 10) == 1

    assert [each.alert_name for each in store.list_links(first)] == ["C"]
    store.prune_archive(-HOUR * 24 * 365 * 100, 10)
    assert store.list_links(first) == []


def test_open_incidents_of_the_time_are_compared(store):
    """Those that evidence is there of; what ended, and what others will find, is left out."""
    mine, pending, over, other = (incident(store, name) for name in ("me", "A", "B", "C"))
    for each in (mine, over, other):
        collected(store, each)
    opened(store, alert("B", resolved_after=60), key="B")

    (found,) = near(store, mine).incidents

    assert (found.incident_id, found.alert_name, found.footprint) == (str(other), "C", PRINT)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert store.vicinity(pending, long_ago, long_ago).incidents == ()


def test_the_newest_of_too_many_are_compared(store, emptied):
    """How much is read does not grow with what is open."""
    first = incident(store, "first")
    names = [f"A{number}" for number in range(MOST_CANDIDATES + 5)]
    every = [incident(store, name) for name in names]
    with emptied.begin() as connection:
        prints = {"onset": "2026-11-23T12:00:00Z"}
        connection.execute(update(tables.incidents).values(footprint=prints))

    found = near(store, first).incidents

    assert {each.incident_id for each in found} == {str(each) for each in every[5:]}


def test_incidents_that_are_linked_count_though_they_are_over(store):
    """The event is told as it is, not only what is open of it."""
    first, second, third = (incident(store, name) for name in "ABC")
    for each in (first, second):
        collected(store, each)
    run(store, third, second)
    opened(store, alert("C", resolved_after=60), key="C")

    found = near(store, first)

    assert [each.alert_name for each in found.incidents] == ["B", "C"]
    assert found.links == (link(second, third),)


def test_incidents_that_link_each_other_at_once_are_both_committed(store):
    """Whoever comes second waits, and finds the link there."""
    pairs = [(incident(store, f"A{number}"), incident(store, f"B{number}")) for number in range(5)]
    for each in (each for pair in pairs for each in pair):
        collected(store, each)

    with ThreadPoolExecutor(2) as pool:
        for one, other in pairs:
            ends = [pool.submit(enriched, store, *pair) for pair in ((one, other), (other, one))]
            for end in ends:
                end.result()

    for one, other in pairs:
        assert [each.incident_id for each in store.list_links(one)] == [other]
        assert len(timeline(store, one)) == 1
