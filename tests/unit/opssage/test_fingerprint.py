import pytest

from opssage.fingerprint import fingerprint

# The decimal values are those of TestLabelsToSignature in prometheus/common,
# model/signature_test.go; the last was sent by an Alertmanager.
KNOWN = [
    ({}, f"{14695981039346656037:016x}"),
    ({"name": "garland, briggs", "fear": "love is not enough"}, f"{5799056148416392346:016x}"),
    ({"alertname": "CodeTest", "namespace": "shop", "severity": "critical"}, "cac1ec3d78dd1852"),
]


@pytest.mark.parametrize(("labels", "expected"), KNOWN)
def test_fingerprint_is_that_of_prometheus(labels: dict[str, str], expected: str):
    """An alert posted by hand gets the fingerprint Alertmanager would give it."""
    assert fingerprint(labels) == expected


def test_fingerprint_ignores_the_order_of_labels():
    """A label set has no order."""
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})


def test_fingerprint_keeps_names_and_values_apart():
    """Moving a character across a border makes another label set."""
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})


def test_fingerprint_counts_bytes_of_utf8():
    """Labels may hold any text."""
    assert fingerprint({"team": "größe"}) != fingerprint({"team": "grosse"})
