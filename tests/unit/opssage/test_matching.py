"""Labels that match patterns."""

import pytest

from opssage.matching import has_labels

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
