import json
from pathlib import Path

import pytest

from opssage.fingerprint import fingerprint

RECORDED = Path(__file__).parents[2] / "fixtures" / "alertmanager"
# The decimal values are those of TestLabelsToSignature in prometheus/common,
# model/signature_test.go; the third is of prometheus/alertmanager, issue 2233.
KNOWN = [
    ({}, f"{14695981039346656037:016x}"),
    ({}, "cbf29ce484222325"),
    ({"name": "garland, briggs", "fear": "love is not enough"}, f"{5799056148416392346:016x}"),
    (
        {
            "alertname": "TEST122",
            "alias": "TEST",
            "category": "infrastructure",
            "description": "TEST",
            "env": "dev",
            "instance": "dev22-web",
            "job": "phpfpm",
            "receivers": "slack|pagerduty",
            "resolved": "yes",
            "severity": "critical",
            "uuid": "bAuFfhGW",
        },
        "125d2b1884ab0586",
    ),
]


@pytest.mark.parametrize(("labels", "expected"), KNOWN)
def test_fingerprint_is_that_of_prometheus(labels: dict[str, str], expected: str):
    """An alert posted by hand gets the fingerprint Alertmanager would give it."""
    assert fingerprint(labels) == expected


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_fingerprint_is_that_of_every_recorded_alert(file: Path):
    """Whatever a real Alertmanager sent can be computed again, quotes and umlauts included."""
    for alert in json.loads(file.read_text())["body"]["alerts"]:
        assert fingerprint(alert["labels"]) == alert["fingerprint"]


def test_fingerprint_ignores_the_order_of_labels():
    """A label set has no order."""
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})


def test_fingerprint_keeps_names_and_values_apart():
    """Moving a character across a border makes another label set."""
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})


def test_fingerprint_counts_bytes_of_utf8():
    """Labels may hold any text."""
    assert fingerprint({"team": "größe"}) != fingerprint({"team": "grosse"})
