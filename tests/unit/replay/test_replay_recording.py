"""The outages that come with OpsSage: consistent, repeatable, and as loud as their alerts say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import promql_parser
import pytest

from cli import outages
from cli.replay import UnknownOutageError, load, names
from cli.replay.promql import evaluate
from cli.replay.series import NAME, as_labels
from opssage.fingerprint import fingerprint

ALERTS = {"crashloop": 1, "node-cpu": 3, "auth-cascade": 4}


def firing(recording, capture, rule: str, *, start: int, end: int) -> dict:
    """Return at which scrapes a rule's expression holds, by label set."""
    offsets = range(start, end + 1, 15)
    value = evaluate(
        recording.document["rules"][rule]["expr"],
        capture.series,
        start_ms=(capture.now + start) * 1000,
        end_ms=(capture.now + end) * 1000,
        step_ms=15_000,
    )
    return {
        column.labels: [
            offset for offset, here in zip(offsets, column.present, strict=True) if here
        ]
        for column in value
    }


def alert_times(recording):
    """Return (rule, labels, start of its condition, starts_at) of each alert."""
    for alert in recording.document["alerts"]:
        rule = recording.document["rules"][alert["rule"]]
        yield alert["rule"], alert["labels"], alert["starts_at"] - rule["for"], alert["starts_at"]


def test_every_outage_is_listed():
    """One file each, and the demo's order is complete."""
    folder = outages.__path__[0]

    found = {path.stem for path in Path(folder).glob("*.yaml")}

    assert found == set(names())
    assert {name: len(load(name).document["alerts"]) for name in names()} == ALERTS


def test_alerts_fire_when_the_samples_say_so(recording, capture):
    """Each condition holds from `for` before the alert's start until now, not just before."""
    for rule, labels, active, _ in alert_times(recording):
        held = firing(recording, capture, rule, start=active - 15, end=0)

        assert held[as_labels(labels)] == list(range(active, 1, 15))


def test_no_alert_is_missing(recording, capture):
    """Whatever has held for a rule's `for` is an alert of the outage; before onset nothing has."""
    expected = dict.fromkeys(recording.document["rules"], 0)
    for rule, *_ in alert_times(recording):
        expected[rule] += 1

    for rule, count in expected.items():
        wait = recording.document["rules"][rule]["for"]
        held = firing(recording, capture, rule, start=-6000, end=0)
        assert len([at for at in held.values() if at[-1] == 0 and -wait in at]) == count
        assert min(at[0] for at in held.values()) > -600


def test_prometheus_remembers_since_when_alerts_are_active(recording, capture, now):
    """ALERTS_FOR_STATE holds the start of each condition, without external labels."""
    remembered = {
        as_labels(series.labels): series.values[-1] - capture.now
        for series in capture.series
        if series.labels[NAME] == "ALERTS_FOR_STATE"
    }

    for alert in recording.webhook(now, "http://alertmanager:9093")["alerts"]:
        inside = {**alert["labels"], NAME: "ALERTS_FOR_STATE", "cluster": ""}
        rule = recording.document["rules"][alert["labels"]["alertname"]]
        started = datetime.fromisoformat(alert["startsAt"]).timestamp() - capture.now
        assert remembered.pop(as_labels(inside)) == started - rule["for"]
    assert remembered == {}


def test_a_recording_is_the_same_every_time(recording, capture, now):
    """Samples and lines, to the last bit."""
    again = load(recording.name).at(now)

    assert again.streams == capture.streams
    assert [each.labels for each in again.series] == [each.labels for each in capture.series]
    for first, second in zip(capture.series, again.series, strict=True):
        assert first.times.tobytes() == second.times.tobytes()
        assert first.values.tobytes() == second.values.tobytes()


def test_a_recording_moves_with_its_moment(recording, capture, now):
    """A year later the same numbers come at the same distance from now, on the scrapes' grid."""
    later = recording.at(now + timedelta(days=365, seconds=5))
    shift = (later.now - capture.now) * 1000

    moved_ids = {"kube_replicaset_created", "kube_pod_created", "ALERTS_FOR_STATE"}
    for first, second in zip(capture.series, later.series, strict=True):
        assert np.array_equal(first.times + shift, second.times)
        if first.labels[NAME] not in moved_ids:
            assert np.array_equal(first.values, second.values)
    assert later.now % 15 == 0


def test_label_sets_are_unique(capture):
    """As in any Prometheus; samples rise in time, and no two share one."""
    labels = [as_labels(series.labels) for series in capture.series]

    assert len(labels) == len(set(labels))
    assert all((np.diff(series.times) > 0).all() for series in capture.series)
    assert all(len(series.times) for series in capture.series)


def test_counters_never_fall_but_for_restarts(recording, capture):
    """A fall of a counter is a fall to zero."""
    for series in capture.series:
        if series.labels[NAME].endswith(("_total", "_bucket", "_count")):
            falls = np.flatnonzero(np.diff(series.values) < 0) + 1
            assert (series.values[falls] == 0).all(), series.labels


def test_buckets_of_a_histogram_are_cumulative(capture):
    """At every scrape a wider bucket holds at least as much, and +Inf holds all."""
    histograms: dict = {}
    for series in capture.series:
        if series.labels[NAME].endswith("_bucket"):
            key = as_labels({**series.labels, "le": ""})
            histograms.setdefault(key, []).append((float(series.labels["le"]), series.values))

    assert histograms or not any(each.labels[NAME].endswith("_bucket") for each in capture.series)
    for buckets in histograms.values():
        values = np.stack([counts for _, counts in sorted(buckets, key=lambda pair: pair[0])])
        assert (np.diff(values, axis=0) >= 0).all()


def test_healthy_services_stand_beside_the_trouble(recording):
    """At least three workloads that no alert names, and a rollout hours before."""
    named = {text for alert in recording.document["alerts"] for text in alert["labels"].values()}
    workloads = recording.document["workloads"]
    bystanders = [name for name in workloads if not any(name in text for text in named)]
    created = [
        generation["created"]
        for workload in workloads.values()
        for generation in workload["generations"].values()
    ]

    assert len(bystanders) >= 3
    assert any(-86_400 < moment < -7200 for moment in created)


def test_streams_are_in_order_and_come_from_pods_that_live(recording, capture):
    """Lines rise in time; some are warnings of services that are well."""
    pods = {series.labels.get("pod") for series in capture.series}
    assert {stream.labels["pod"] for stream in capture.streams} <= pods
    for stream in capture.streams:
        assert list(stream.lines) == sorted(stream.lines)
        assert stream.lines


def test_the_webhook_is_what_alertmanager_would_send(recording, capture, now):
    """Version 4, with the rule's expression in the generator's URL and real fingerprints."""
    body = recording.webhook(now, "http://alertmanager:9093")

    assert (body["version"], body["status"], body["truncatedAlerts"]) == ("4", "firing", 0)
    assert len(body["alerts"]) == ALERTS[recording.name]
    for alert in body["alerts"]:
        assert alert["fingerprint"] == fingerprint(alert["labels"])
        assert alert["endsAt"] == "0001-01-01T00:00:00Z"
        assert "{{" not in str(alert["annotations"])
        assert datetime.fromisoformat(alert["startsAt"]) < datetime.fromtimestamp(capture.now, UTC)
        (expression,) = parse_qs(urlsplit(alert["generatorURL"]).query)["g0.expr"]
        promql_parser.parse(expression)


def test_a_group_is_known_by_what_its_alerts_share(recording, now):
    """Group labels and common labels are on every alert, and the group key spells the group."""
    body = recording.webhook(now, "http://alertmanager:9093")

    for alert in body["alerts"]:
        assert body["groupLabels"].items() <= body["commonLabels"].items()
        assert body["commonLabels"].items() <= alert["labels"].items()
    pairs = ", ".join(f'{name}="{text}"' for name, text in body["groupLabels"].items())
    assert body["groupKey"] == f"{{}}:{{{pairs}}}"


def test_an_unknown_outage_is_told_with_the_known_ones(tmp_path):
    """By name; a file of one's own is read by its path."""
    with pytest.raises(UnknownOutageError, match="crashloop, node-cpu, auth-cascade"):
        load("nope")

    copy = tmp_path / "mine.yaml"
    source = Path(outages.__path__[0]) / "crashloop.yaml"
    copy.write_bytes(source.read_bytes())

    assert load(copy).name == "mine"
