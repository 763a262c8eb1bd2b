"""How text becomes comparable words."""

import pytest

from tasks.enrich.words import spellings, words


@pytest.mark.parametrize(
    "name",
    ["CrashLoopBackOff", "crash_loop_back_off", "crash-loop-back-off", "crash loop back off"],
)
def test_words_take_names_apart_however_they_are_joined(name):
    """Camel case, snake and kebab names give the same words."""
    assert words(name) == ("crash", "loop", "back", "off")


def test_words_keep_an_acronym_before_a_capital_whole():
    """`OOMKilled` is an acronym and a word."""
    assert words("OOMKilled") == ("oom", "kill")


@pytest.mark.parametrize(
    "forms",
    [
        ("throttled", "throttling", "throttle"),
        ("restart", "restarts", "restarted", "restarting"),
        ("queries", "query"),
        ("addresses", "address"),
        ("running", "run"),
        ("failing", "failed", "fails"),
        ("connect", "connection", "connected"),
        ("exhausted", "exhaustion"),
    ],
)
def test_words_of_one_stem_are_the_same(forms):
    """Endings of number and tense do not keep words apart."""
    assert len({words(form) for form in forms}) == 1


def test_spellings_keep_the_first_way_a_word_was_written():
    """Each word once, readable, in order."""
    assert spellings("Pods throttled, pod throttling") == {"pod": "pods", "throttl": "throttled"}


def test_words_leave_out_ids_and_filling():
    """Long numbers, single letters and stop words say nothing; status codes do."""
    assert words("a pod of 1f3 on port 54321 was killed with 137") == ("pod", "port", "kill", "137")


def test_words_read_other_alphabets():
    """A runbook need not be in English."""
    assert words("Сервис упал") == ("сервис", "упал")
