"""What a sender says beyond what we know: kept, but never more than a bound, and storable."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.senders.alertmanager import webhook_group
from webapi.senders.extras import MAX_EXTRA_BYTES, extras

ALERT = {"labels": {"alertname": "Down"}, "startsAt": "2026-11-23T12:00:00Z"}


def test_fields_of_newer_senders_are_kept():
    """Alertmanager adds some every few versions; 0.32 and 0.34 added these to the envelope."""
    body = {
        "version": "5",
        "notification_reason": "first notification",
        "routeLabels": {"team": "shop"},
        "alerts": [ALERT | {"silencedBy": ["a"], "priority": 3}],
    }

    group = webhook_group(body)

    assert group.extra == {
        "notification_reason": "first notification",
        "routeLabels": {"team": "shop"},
    }
    assert group.alerts[0].extra == {"silencedBy": ["a"], "priority": 3}


def test_what_is_known_or_says_nothing_is_no_extra():
    """A webhook of today has none."""
    told = {"labels": {}, "a": "", "b": None, "c": {}, "d": [], "e": 0, "f": False}

    assert extras(told, {"labels"}) == {"e": 0, "f": False}


def test_what_is_too_large_is_left_out_and_the_rest_stays():
    """A picture must not cost the values beside it."""
    told = {"a": "x" * MAX_EXTRA_BYTES, "values": {"B": 1.5}, "embeddedImage": "iVBO"}

    assert extras(told, set()) == {"values": {"B": 1.5}}


def test_many_small_fields_are_kept_as_far_as_they_fit():
    """The bound is for all of them together."""
    kept = extras({f"field{n}": "x" * 100 for n in range(10_000)}, set())

    assert 0 < len(kept) < 200
    assert "field0" in kept


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ("a\ud800", "a?"),
        ({"a\0": ["\0", {"b": "\0"}]}, {"a\ufffd": ["\ufffd", {"b": "\ufffd"}]}),
        ([2**70, 1, True], [str(2**70), 1, True]),
    ],
)
def test_what_cannot_be_stored_is_replaced(value, stored):
    """As in prose: it identifies nothing."""
    assert extras({"extra": value}, set()) == {"extra": stored}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), anything, max_size=8))
def test_whatever_is_kept_can_be_stored_and_is_small(told):
    """No database refuses it."""
    text = orjson.dumps(extras(told, set()))

    assert len(text) <= MAX_EXTRA_BYTES
    assert b"\\u0000" not in text
