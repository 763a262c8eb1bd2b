"""Labels that match patterns."""

import re

import pytest

from opssage.matching import check_pattern, has_labels

LABELS = {"severity": "info", "namespace": "dev-1"}


@pytest.mark.parametrize(
    ("patterns", "matches"),
    [
        ([], True),
        ([("severity", "info")], True),
        ([("severity", "info|none"), ("namespace", "dev-.*")], True),
        ([("severity", "inf")], False),
        ([("severity", "nfo")], False),
        ([("severity", "INFO")], False),
        ([("severity", "info"), ("namespace", "prod-.*")], False),
        ([("team", "")], True),
        ([("team", ".+")], False),
        ([("team", ".*")], True),
    ],
)
def test_all_patterns_have_to_match_whole_values(patterns, matches):
    """As in a route of Alertmanager: a label that is not there counts as empty."""
    assert has_labels(patterns, LABELS) is matches


def test_no_pattern_takes_longer_than_a_value_is_long():
    """An engine that backtracks would take hours for this one."""
    assert not has_labels([("x", "(a+)+b")], {"x": "a" * 4096})


@pytest.mark.parametrize(
    ("pattern", "told"),
    [("(", "missing )"), ("a(?=b)", "invalid perl operator"), ("\ud800", "utf-8")],
)
def test_what_is_no_pattern_is_refused_with_the_reason(pattern, told):
    """In RE2's words; look-around, which may take long, is none either."""
    with pytest.raises(ValueError, match=re.escape(told)):
        check_pattern(pattern)
