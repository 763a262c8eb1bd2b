"""The Kubernetes API of an outage: forms as a real API server's, and one truth with the metrics."""

import json
from datetime import datetime

import numpy as np
import pytest

from cli.replay import Capture, Recording, load
from cli.replay.kubernetes.cluster import cluster
from cli.replay.logs import streams
from cli.replay.pods import pods_of
from cli.replay.series import NAME, SeriesSet
from cli.replay.server import answering

CORE = "/api/v1/namespaces/payments"
CRASHING = "payment-service-5f7c8d9b64-xk4nm"
LOG = f"{CORE}/pods/{CRASHING}/log"


@pytest.fixture(scope="module")
def ask():
    """Ask the API of the crash loop, of which nobody wants samples here."""
    recording = load("crashloop")
    now = 1_795_167_000
    lines = tuple(streams(recording.document, pods_of(recording.document), now))
    capture = Capture(now=now, series=SeriesSet(()), streams=lines, rule_groups=[])
    return answering(recording, capture).test_client().get


@pytest.fixture(scope="session")
def ask_this(recording, capture):
    """Ask the API of each outage in turn."""
    return answering(recording, capture).test_client().get


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json["items"]]


REFUSALS = [
    (f"{CORE}/pods/none", 404, "NotFound", 'pods "none" not found'),
    (
        "/apis/apps/v1/namespaces/payments/deployments/none",
        404,
        "NotFound",
        'deployments.apps "none" not found',
    ),
    (
        f"{CORE}/pods?labelSelector=a%20in%20%28",
        400,
        "BadRequest",
        "unable to parse requirement: found '', expected: identifier",
    ),
    (
        f"{CORE}/events?fieldSelector=foo.bar%3D1",
        400,
        "BadRequest",
        "field label not supported: foo.bar",
    ),
    (f"{CORE}/pods?limit=1&continue=nonsense", 400, "BadRequest", "continue key is not valid"),
    (
        f"{LOG}?container=zzz",
        400,
        "BadRequest",
        f"container zzz is not valid for pod {CRASHING}",
    ),
    (
        f"{CORE}/pods/postgres-0/log?previous=true",
        400,
        "BadRequest",
        'previous terminated container "postgres" in pod "postgres-0" not found',
    ),
    (
        f"{CORE}/secrets",
        403,
        "Forbidden",
        (
            'secrets is forbidden: User "system:serviceaccount:opssage:opssage" cannot list '
            'resource "secrets" in API group "" in the namespace "payments"'
        ),
    ),
]


@pytest.mark.parametrize(("path", "code", "reason", "message"), REFUSALS)
def test_refusal_is_a_status_document(ask, path, code, reason, message):
    """With the words of a real API server."""
    answer = ask(path)

    assert answer.status_code == answer.json["code"] == code
    assert answer.json["kind"] == "Status"
    assert (answer.json["reason"], answer.json["message"]) == (reason, message)


def test_group_that_is_not_served_is_told_in_plain_text(ask):
    """metrics.k8s.io comes with an add-on that a cluster may not have."""
    answer = ask("/apis/metrics.k8s.io/v1beta1/pods")

    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert answer.text == "404 page not found\n"


def test_namespace_that_is_not_there_is_an_empty_list(ask):
    """Not an error: a namespace may be made later."""
    answer = ask("/api/v1/namespaces/nope/pods")

    assert (answer.json["kind"], answer.json["items"]) == ("PodList", [])


def test_pages_make_up_the_whole_list(ask):
    """Each page tells how to get the next one, and how many objects there are yet."""
    whole, found, more = names(ask(f"{CORE}/pods")), [], ""
    while True:
        page = ask(f"{CORE}/pods?limit=4&continue={more}")
        found += names(page)
        more = page.json["metadata"].get("continue", "")
        if not more:
            break
        assert page.json["metadata"]["remainingItemCount"] == len(whole) - len(found)

    assert found == whole
    assert len(whole) == 10


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("app=payment-service", 3),
        ("app in (checkout, ledger)", 4),
        ("app!=payment-service", 7),
        ("app notin (checkout),pod-template-hash", 7),
        ("!pod-template-hash", 1),
    ],
)
def test_labels_select(ask, selector, count):
    """Equality, sets and existence."""
    assert len(names(ask(f"{CORE}/pods", query_string={"labelSelector": selector}))) == count


def test_fields_select(ask):
    """Pods of a node in all namespaces, and events about one object."""
    pods = ask("/api/v1/pods?fieldSelector=spec.nodeName=worker-2").json["items"]
    about = f"involvedObject.kind=Pod,involvedObject.name={CRASHING}"
    events = ask(f"{CORE}/events", query_string={"fieldSelector": about}).json["items"]

    assert {pod["spec"]["nodeName"] for pod in pods} == {"worker-2"}
    assert {"BackOff", "Pulled", "Scheduled"} <= {event["reason"] for event in events}


@pytest.mark.parametrize(
    ("path", "selector", "expected"),
    [
        (f"{CORE}/pods", f"metadata.name={CRASHING}", 1),
        ("/api/v1/pods", f"metadata.name={CRASHING}", 1),
        (f"{CORE}/pods", "metadata.name=none", 0),
        (f"{CORE}/pods", "status.phase!=Running,status.phase!=Succeeded", 0),
        ("/apis/apps/v1/namespaces/payments/deployments", "metadata.name=payment-service", 1),
    ],
)
def test_one_object_is_chosen_by_its_name(ask, path, selector, expected):
    """In a list of its own, which is empty where the object does not exist."""
    assert len(names(ask(path, query_string={"fieldSelector": selector}))) == expected


def test_both_event_apis_choose_by_reason_and_object_each_in_its_words(ask):
    """`regarding` of the newer one is `involvedObject` of the core API."""
    found = []
    for root, word in (("/api/v1", "involvedObject"), ("/apis/events.k8s.io/v1", "regarding")):
        selector = f"reason=BackOff,{word}.kind=Pod,{word}.name={CRASHING}"
        path = f"{root}/namespaces/payments/events"
        found.append(names(ask(path, query_string={"fieldSelector": selector})))

    assert found[0] == found[1] != []


def test_events_of_the_newer_sort_have_one_time_only(ask):
    """As the scheduler writes them; both APIs tell of the same events."""
    old = ask(f"{CORE}/events").json["items"]
    new = ask("/apis/events.k8s.io/v1/namespaces/payments/events").json["items"]

    scheduled = next(event for event in old if event["reason"] == "Scheduled")
    assert (scheduled["firstTimestamp"], scheduled["lastTimestamp"]) == (None, None)
    assert scheduled["eventTime"]
    assert [event["note"] for event in new] == [event["message"] for event in old]


def test_metadata_alone_is_given_where_it_is_wanted(ask):
    """Who asks whether a ConfigMap exists need not learn what it holds."""
    path = f"{CORE}/configmaps/payment-settings"
    wanted = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

    assert ask(path, headers={"Accept": wanted}).json["kind"] == "PartialObjectMetadata"
    assert ask(path).json["kind"] == "ConfigMap"


def test_log_of_a_container_that_waits_is_its_last_run(ask):
    """The kubelet keeps that run, and calls it the previous one too."""
    lines = ask(f"{LOG}?previous=true").text.splitlines()

    assert lines == ask(LOG).text.splitlines()
    assert "starting payment-service" in lines[0]
    assert "code=1" in lines[-1]
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("parameters", "lines"),
    [
        ("tailLines=5", 5),
        ("sinceSeconds=60", 23),
        ("sinceTime=2026-11-20T09:30:00Z", 0),
        ("limitBytes=10", 1),
    ],
)
def test_log_is_cut_as_asked(ask, parameters, lines):
    """By lines from the end, by time, and by bytes from the start."""
    text = ask(f"{CORE}/pods/payment-service-6d8f9c7b5c-qz2vt/log?{parameters}").text

    assert abs(len(text.splitlines()) - lines) <= 2
    if parameters == "tailLines=5":
        assert len(text.splitlines()) == 5


def test_log_tells_times_where_they_are_wanted(ask):
    """RFC 3339 with nanoseconds before each line."""
    line = ask(f"{LOG}?timestamps=true").text.splitlines()[0]

    assert datetime.fromisoformat(line.partition(" ")[0])
    assert line.partition(" ")[2].startswith("level=info")


def test_unscheduled_pod_has_no_log():
    """204 without a body; it has no container yet."""
    pod = {"kind": "Pod", "namespace": "payments", "name": "waits", "spec": {"containers": []}}
    outage = load("crashloop")
    recording = Recording(name="x", document={**outage.document, "objects": [pod]})
    capture = Capture(now=0, series=SeriesSet(()), streams=(), rule_groups=[])

    answer = answering(recording, capture).test_client().get(f"{CORE}/pods/waits/log")

    assert (answer.status_code, answer.data) == (204, b"")


def test_objects_say_what_the_metrics_say(recording, capture, ask_this):
    """Restarts, readiness and reasons of kube-state-metrics are those of the pods."""
    pods = {pod["metadata"]["name"]: pod for pod in ask_this("/api/v1/pods").json["items"]}
    for series in capture.series:
        pod = series.labels.get("pod")
        at = np.searchsorted(series.times, capture.now * 1000, side="right") - 1
        alive = at >= 0 and series.times[at] > (capture.now - 60) * 1000
        if pod not in pods or not alive:
            continue
        status = pods[pod]["status"]
        (container,) = status["containerStatuses"]
        value = series.values[at]
        if series.labels[NAME] == "kube_pod_container_status_restarts_total":
            assert container["restartCount"] == value
        if series.labels[NAME] == "kube_pod_container_status_waiting_reason" and value:
            assert container["state"]["waiting"]["reason"] == series.labels["reason"]
        if series.labels[NAME] == "kube_pod_container_status_last_terminated_reason" and value:
            assert container["lastState"]["terminated"]["reason"] == series.labels["reason"]
    nodes = {node["metadata"]["name"]: node for node in ask_this("/api/v1/nodes").json["items"]}
    assert nodes.keys() == recording.document["nodes"].keys()


def test_references_between_objects_are_whole(ask_this):
    """Owners exist with their ids, selectors find pods, and pods stand on nodes that there are."""
    held = {
        plural: ask_this(f"{root}/{plural}").json["items"]
        for root, plurals in (
            ("/api/v1", ("pods", "services", "nodes", "persistentvolumeclaims")),
            ("/apis/apps/v1", ("deployments", "replicasets", "statefulsets")),
            ("/apis/batch/v1", ("jobs", "cronjobs")),
            ("/apis/discovery.k8s.io/v1", ("endpointslices",)),
        )
        for plural in plurals
    }
    ids = {item["metadata"]["uid"] for items in held.values() for item in items}
    owned = [
        reference["uid"]
        for items in held.values()
        for item in items
        for reference in item["metadata"].get("ownerReferences", ())
    ]

    assert set(owned) <= ids
    assert {pod["spec"]["nodeName"] for pod in held["pods"]} <= {
        node["metadata"]["name"] for node in held["nodes"]
    }
    for service in held["services"]:
        chosen = service["spec"]["selector"].items()
        assert any(chosen <= pod["metadata"]["labels"].items() for pod in held["pods"])


def test_objects_are_the_same_every_time(recording):
    """In the same order, with the same ids."""
    assert cluster(recording.document, 0) == cluster(recording.document, 0)


def test_everyday_events_stand_beside_the_trouble(ask_this):
    """Warnings of pods that are well, within the hour the API server keeps events."""
    events = ask_this("/api/v1/events").json["items"]

    assert {event["type"] for event in events} == {"Normal", "Warning"}
    assert "Unhealthy" in {event["reason"] for event in events}


def test_alertmanager_lists_the_alerts_of_the_webhook(recording, now, ask_this):
    """The same labels and fingerprints, and the alert that always fires."""
    listed = {alert["fingerprint"]: alert for alert in ask_this("/api/v2/alerts").json}
    delivered = recording.webhook(now, "http://alertmanager:9093")["alerts"]

    assert {alert["fingerprint"] for alert in delivered} < listed.keys()
    assert all(listed[alert["fingerprint"]]["startsAt"] == alert["startsAt"] for alert in delivered)
    assert {alert["status"]["state"] for alert in listed.values()} == {"active"}
    assert ask_this("/api/v2/silences").json == []


def test_alertmanager_filters_by_labels(ask_this):
    """One matcher or several; what it cannot read it refuses."""
    found = ask_this('/api/v2/alerts?filter=alertname="Watchdog"').json

    assert [alert["labels"]["alertname"] for alert in found] == ["Watchdog"]
    assert ask_this("/api/v2/alerts?active=false").json == []
    refused = ask_this("/api/v2/alerts?filter=x")
    assert (refused.status_code, json.loads(refused.data)) == (400, "bad matcher format: x")
