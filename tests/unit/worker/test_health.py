"""Which signs of life are missing."""

from opssage import beats
from worker.health import silent

FRESH = dict.fromkeys(beats.KNOWN, 1.0)


def test_fresh_signs_of_life_are_health():
    """Nothing is missing."""
    assert [silent(name, FRESH, 180) for name in ("queue", beats.DISPATCHER)] == [[], []]


def test_a_queue_without_a_fresh_sign_is_named():
    """Too old and never heard of are the same."""
    ages = {**FRESH, "queue/enrich": 180.0}
    del ages["queue/diagnose"]

    assert silent("queue", ages, 180) == ["queue/enrich", "queue/diagnose"]


def test_a_name_nobody_has_is_not_healthy():
    """A misspelt check must not pass."""
    assert silent("queues", FRESH, 180) == ["queues"]
