"""Bundles: written as they are read, and whatever else is read is refused in words."""

import gzip
from datetime import timedelta
from typing import Any

import orjson
import pytest
from factories import NOON, alert

from opssage.settings import load
from tasks import bundle
from tasks.bundle import BundleError
from tasks.collect.recording import Recording, pack
from tasks.replay import comparable, differing

INCIDENT: dict[str, Any] = {
    "incident_id": "019a0000-0000-7000-8000-000000000001",
    "status": "completed",
    "revision": 2,
    "created_at": "2026-11-23T12:00:00.000000Z",
    "resolved_at": None,
    "alert_name": "HighErrorRate",
    "severity": "critical",
    "namespace": "shop",
    "service": None,
    "primary_context": {},
    "enhanced_context": {},
    "diagnostic_report": {"verdict": "healthy"},
    "what_a_later_version_tells": 1,
}


def packed(**changes: Any) -> bytes:
    """Return a recording of nothing."""
    fixed = {"alert_name": "HighErrorRate", "alert_seq": 1, "settings": load(environ={})}
    made = Recording(**{**fixed, "now": NOON, "alerts": (alert(),), **changes})
    return pack(made)


def written(**changes: Any) -> bytes:
    """Return a bundle; changes are of its incident."""
    return bundle.write(orjson.dumps({**INCIDENT, **changes}), packed())


def with_changes(**changes: Any) -> bytes:
    """Return a bundle changed in its uppermost keys."""
    document = orjson.loads(gzip.decompress(written()))
    return gzip.compress(orjson.dumps({**document, **changes}))


def recording_with(**changes: Any) -> bytes:
    """Return a bundle changed in the keys of its recording."""
    document = orjson.loads(gzip.decompress(written()))
    return with_changes(recording={**document["recording"], **changes})


def test_a_bundle_is_one_json_document_that_any_tool_unpacks():
    """The recording is put behind the incident as it was kept."""
    document = orjson.loads(gzip.decompress(written()))

    assert document["format"] == "opssage-bundle"
    assert document["incident"] == INCIDENT
    assert document["recording"]["alert_seq"] == 1


def test_a_bundle_is_read_as_it_was_written():
    """What this version does not know of the incident is left out."""
    read = bundle.read(written())

    assert read.recording.alerts == (alert(),)
    assert read.recording.now == NOON
    assert read.incident["diagnostic_report"] == {"verdict": "healthy"}
    assert "what_a_later_version_tells" not in read.incident


ASKED = {"source": "loki", "method": "GET", "path": "/labels", "params": {}}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"{}", "not gzip"),
        (written()[:-100], "cut off"),
        (written()[:200] + bytes(50) + written()[250:], "not gzip"),
        (gzip.compress(b"[1, 2", mtime=0), "not JSON"),
        (gzip.compress(b"[1, 2]", mtime=0), "`opssage export` writes them"),
        (gzip.compress(b"[" * 100_000, mtime=0), "more values, or deeper ones"),
        (with_changes(format="other"), "`opssage export` writes them"),
        (with_changes(version=7), "a bundle of version 7"),
        (with_changes(incident=None), "incident: Field may not be null"),
        (written(status="pending"), "incident.status"),
        (written(created_at="yesterday"), "incident.created_at: Not a time."),
        (written(diagnostic_report=[]), "incident.diagnostic_report"),
        (recording_with(version=2), "recording.version"),
        (recording_with(alerts=[]), "recording.alerts"),
        (recording_with(alerts=[{"labels": 5}]), "recording.alerts.0: Does not hold Alert."),
        (recording_with(now="soon"), "recording.now: Not a time."),
        (recording_with(settings={}), "recording.settings"),
        (recording_with(settings={"collect": {"max_series": "many"}}), "recording.settings"),
        (recording_with(exchanges=[ASKED]), "recording.exchanges.0: Neither"),
        (recording_with(exchanges=[{**ASKED, "method": "PUT"}]), "exchanges.0.method"),
        (recording_with(exchanges=[{**ASKED, "params": {"a": 1}}]), "exchanges.0.params"),
        (recording_with(matters=[]), "recording.matters"),
    ],
)
def test_what_is_no_bundle_is_refused_in_words(content, told):
    """It may come from anywhere, and have been anything."""
    with pytest.raises(BundleError, match=r".*") as refused:
        bundle.read(content)

    assert told in str(refused.value)


def test_a_bundle_that_would_fill_the_memory_is_not_unpacked():
    """Neither a large file, nor a small one that grows."""
    with pytest.raises(BundleError, match="more than 2 MiB when unpacked"):
        bundle.read(gzip.compress(bytes(3 * 1024**2)), most=2 * 1024**2)
    with pytest.raises(BundleError, match="larger than 32 MiB"):
        bundle.read(bytes(bundle.MAX_BYTES + 1))


def test_documents_are_compared_without_what_is_never_the_same():
    """Durations and ids of a run do not count; anything else does."""
    one = {"sources": [{"query": "up", "duration_seconds": 0.1}], "verdict": "fault", "a": 0.1}
    other = {"sources": [{"query": "up", "duration_seconds": 0.2}], "verdict": "healthy", "b": 1}

    assert differing(one, other) == ("a", "b", "verdict")
    assert comparable({"x": 1 / 3}) == comparable({"x": 0.333333})


def test_moments_of_an_investigation_count():
    """Only names and lengths are left out, not times that were observed."""
    assert differing({"at": str(NOON)}, {"at": str(NOON + timedelta(seconds=1))}) == ("at",)
