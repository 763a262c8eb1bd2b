"""Cursors: every word of their form is a position, and nothing else is."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import Sort
from webapi.cursors import FEW, FINGERPRINT, ID, MOMENT, NUMBER, SORT, TEXT, Cursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVERYTHING = Cursor((SORT, MOMENT, ID, NUMBER, FEW, FINGERPRINT, TEXT))


@given(
    st.sampled_from(Sort),
    st.integers(0, 10**16 - 1).map(lambda number: EPOCH + timedelta(microseconds=number)),
    st.uuids(),
    st.integers(0, 10**18 - 1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=128),
)
def test_a_cursor_leads_back_to_its_position(sort, moment, key, number, sender):
    """To the microsecond, and whatever a sender is named."""
    position = (sort, moment, key, number, number % 10_000, "0123456789abcdef", sender)

    cursor = EVERYTHING.write(*position)

    assert EVERYTHING.read(cursor) == position
    assert cursor.isascii()


@given(st.from_regex(EVERYTHING.pattern, fullmatch=True, alphabet=st.characters(max_codepoint=127)))
def test_whatever_has_the_form_of_a_cursor_is_one(cursor):
    """The description promises it."""
    assert len(EVERYTHING.read(cursor.rstrip("\n"))) == 7


@pytest.mark.parametrize(
    "text",
    ["", "x", "created_at", "updated_at.1764000000000000", f"severity.1764000000000000.{'0' * 32}"],
)
def test_anything_else_is_refused(text):
    """With a reason."""
    with pytest.raises(ValueError, match="Not a cursor of this list"):
        Cursor((SORT, MOMENT, ID)).read(text)


def test_a_cursor_says_nothing_that_a_database_cannot_take():
    """A made-up one may spell any bytes."""
    (text,) = Cursor((TEXT,)).read("00ff61")

    assert text == "\ufffd\ufffda"
    assert Cursor((ID,)).read("0" * 32) == (UUID(int=0),)
