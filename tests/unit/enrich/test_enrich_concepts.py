"""Different ways to say the same thing."""

import pytest

from tasks.enrich.concepts import CONCEPTS, concepts_in, is_concept
from tasks.enrich.words import words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OOMKilled", "it ran out of memory"),
        ("java.lang.OutOfMemoryError", "memory limit reached"),
        ("503", "many server errors"),
        ("ECONNREFUSED", "connection refused"),
        ("getaddrinfo EAI_AGAIN", "name resolution fails"),
        ("No space left on device", "filesystem full"),
    ],
)
def test_two_ways_to_say_it_have_a_concept_in_common(one, other):
    """Whatever the words are."""
    first, second = (set(concepts_in(words(text))) for text in (one, other))

    assert first & second


def test_a_phrase_counts_only_as_a_whole():
    """`out` and `memory` alone are two words."""
    assert not list(concepts_in(words("out to lunch, from memory")))


def test_no_word_is_taken_for_a_concept():
    """Their names are unlike anything that a text can have."""
    assert not any(is_concept(word) for word in words("~memory memory ~ disk"))


def test_no_phrase_stands_for_two_concepts():
    """It would say two things at once; each has words of its own."""
    phrases = [(words(phrase), name) for name, row in CONCEPTS.items() for phrase in row.split(";")]

    assert all(phrase for phrase, _ in phrases)
    assert len(set(phrases)) == len({phrase for phrase, _ in phrases})
