"""Reported changes on both kinds of database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from opssage.changes import ChangeKind, ReportedChange
from store import ChangeFilter

NOON = datetime.now(UTC).replace(hour=12, microsecond=0) - timedelta(days=3)


def change(summary="cart 1.8.0", **told):
    """A deploy at noon."""
    values = {"kind": ChangeKind.DEPLOY, "at": NOON, "service": "cart", **told}
    return ReportedChange(summary=summary, **values)


def test_a_change_is_read_as_it_was_written(store):
    """Its details too; the same one again is the same row."""
    told = change(details={"flags": ["a", 1, None], "nested": {"x": 0.5}}, namespace="shop")

    kept, is_news = store.add_change(told)

    assert is_news
    assert store.list_changes() == [kept]
    assert store.add_change(told) == (kept, False)


def test_the_same_change_from_many_at_once_is_one_row(store):
    """Whoever comes second is told the first one."""
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: store.add_change(change()), range(8)))

    assert sum(is_news for _, is_news in told) == 1
    assert len({kept.change_id for kept, _ in told}) == 1


def test_changes_are_chosen_paged_and_pruned(store):
    """By place and time; changes of one moment keep their order."""
    for number in range(4):
        store.add_change(change(str(number), at=NOON - timedelta(days=number // 2)))
    store.add_change(change("elsewhere", service="pay"))

    chosen = ChangeFilter(service=["cart"], until=NOON)
    first = store.list_changes(chosen, limit=3)
    after = (first[-1].at, first[-1].change_id)
    rest = store.list_changes(chosen, after=after)

    assert [each.summary for each in (*first, *rest)] == ["1", "0", "3", "2"]
    age = (datetime.now(UTC) - NOON).total_seconds() + 3600
    assert store.count_prunable_changes(age) == 2
    assert [store.prune_changes(age, 1) for _ in range(3)] == [1, 1, 0]
    assert len(store.list_changes()) == 3
