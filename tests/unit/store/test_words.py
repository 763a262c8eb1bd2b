"""What counts as a word to search for."""

import pytest
from factories import alert

from store import words_in
from store.words import MOST_WORDS, WORD_CHARS, words_of, words_of_alert, words_of_answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("HighErrorRate", ("high", "error", "rate")),
        ("checkout-7f9c_EU", ("checkout", "7f9c", "eu")),
        ("KubePVCFull", ("kube", "pvc", "full")),
        ("Straße  STRASSE", ("strasse",)),
        ("café cafe\u0301", ("café",)),
        ("ＨＩＧＨ", ("high",)),
        ("%_'\"\\ \0", ()),
        ("", ()),
    ],
)
def test_words_are_letters_and_digits_in_lower_case(text, words):
    """Whatever else stands between them, and however it is written."""
    assert words_in(text) == words


def test_a_word_in_several_parts_is_also_kept_whole():
    """Who types an alert's name in lower case finds it."""
    assert words_of(["HighErrorRate"]) == " higherrorrate high error rate"


def test_a_word_is_kept_once_and_in_order():
    """The most telling texts come first."""
    assert words_of(["b a", None, "a c"]) == " b a c"


def test_words_are_bounded_in_length_and_number():
    """A long text costs no more than it may."""
    kept = words_of(["x" * 5000, " ".join(f"w{number}" for number in range(100_000))]).split()

    assert len(kept[0]) == WORD_CHARS
    assert len(kept) == MOST_WORDS


def test_an_alert_is_found_by_what_it_shows():
    """Name, severity, place, label values and message; not the names of labels."""
    kept = words_of_alert(alert("DiskFull", service="checkout", zone="eu-1")).split()

    assert {"diskfull", "disk", "warning", "shop", "checkout", "eu", "1", "fires"} <= set(kept)
    assert "zone" not in kept


def test_an_answer_is_found_by_its_cause_and_category():
    """A report without them has no words."""
    report = {"root_cause": "DATABASE_URL is invalid", "category": "configuration"}

    assert words_of_answer(report) == " database url is invalid configuration"
    assert words_of_answer({}) == ""
