"""Lists that show the first part only: what is asked for instead, and what is not said."""

from datetime import timedelta

import pytest
from unit.collect.kubernetes_stand_ins import (
    LONG_AGO,
    ONSET,
    WEB,
    FakeKubernetes,
    ask,
    deployment,
    event,
    objects,
    pod,
    reasons,
    replica_set,
    reply,
    thing,
    waiting,
)
from unit.collect.stand_ins import make_alert

from opssage.evidence import EvidenceKind

PODS = "GET /api/v1/namespaces/shop/pods"
EVENTS = "GET /api/v1/namespaces/shop/events"


def alert(**labels):
    return make_alert({"alertname": "A", **labels})


def crowded(*things):
    """A namespace whose lists end after four objects; each thing given comes after those."""
    crowd = [
        *(pod(f"aaa-{n}", labels={"app": "aaa"}) for n in range(5)),
        *(event("Unhealthy", ("Pod", f"aaa-{n}")) for n in range(5)),
    ]
    return FakeKubernetes(page=1).has(*crowd, *things)


def crashing(name="web-7d9f-x"):
    return pod(name, waiting("CrashLoopBackOff"), ready=False)


def queries(answer):
    return [each.query for each in answer.reports]


def told(answer, kind):
    return [item for item in answer.evidence if item.kind is kind]


def test_pod_that_an_alert_names_is_asked_for_by_its_name():
    """The list has ended before it."""
    found = ask(crowded(crashing()), alert(namespace="shop", pod="web-7d9f-x"))

    assert f"{PODS}?fieldSelector=metadata.name=web-7d9f-x" in queries(found)
    assert reasons(objects(found, "Pod")["web-7d9f-x"]) == ["CrashLoopBackOff"]


def test_log_of_a_pod_found_by_its_name_is_read():
    """It leads to what a listed one leads to."""
    restarted = waiting("CrashLoopBackOff", restartCount=2)
    cluster = crowded(pod("web-7d9f-x", restarted, ready=False))

    found = ask(cluster, alert(namespace="shop", pod="web-7d9f-x"), log_lines=9)

    assert any(query.startswith(f"{PODS}/web-7d9f-x/log") for query in queries(found))


def test_named_pod_that_is_in_the_list_is_not_asked_for_again():
    """Nor is any pod where the list is complete."""
    found = ask(crowded(), alert(namespace="shop", pod="aaa-1"))
    small = ask(FakeKubernetes().has(crashing()), alert(namespace="shop", pod="gone-1"))

    assert not any("metadata.name" in query for query in (*queries(found), *queries(small)))


def test_named_pod_that_is_not_there_is_told_to_be_gone():
    """The answer about it alone is complete, though the list is not."""
    found = ask(crowded(), alert(namespace="shop", pod="gone-1"))

    (item,) = objects(found, "Pod").values()
    assert (item.data["object"]["name"], item.data["exists"]) == ("gone-1", False)
    assert item.query == f"{PODS}?fieldSelector=metadata.name=gone-1"


def test_job_that_an_alert_names_is_asked_for_by_its_name():
    """Finished Jobs fill lists before others do."""
    jobs = [thing("Job", f"a-{n}") for n in range(5)]
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}
    cluster = FakeKubernetes(page=1).has(*jobs, thing("Job", "nightly", status=failed))

    found = ask(cluster, alert(namespace="shop", job_name="nightly"))

    assert list(objects(found, "Job")) == ["nightly"]


def test_pods_of_a_named_workload_are_asked_for_by_its_selector():
    """And so is its history, of which nothing may be missing."""
    web = deployment(spec={"selector": {"matchLabels": {"app": "web"}}})
    others = [thing("ReplicaSet", f"a-{n}") for n in range(5)]

    found = ask(crowded(web, crashing(), *others), WEB)

    assert f"{PODS}?labelSelector=app=web" in queries(found)
    assert "GET /apis/apps/v1/namespaces/shop/replicasets?labelSelector=app=web" in queries(found)
    assert "web-7d9f-x" in objects(found, "Pod")


def test_pods_that_do_not_run_are_asked_for_by_their_phase():
    """Where the alerts name no more than the namespace."""
    found = ask(crowded(pod("web-1", ready=False, status={"phase": "Pending"})))

    assert "web-1" in objects(found, "Pod")


@pytest.mark.parametrize("labels", [{"namespace": "shop"}, {}])
def test_pods_that_warnings_tell_of_are_asked_for_by_name(labels):
    """A container in a crash loop belongs to a running pod; that it starts in vain is an event."""
    cluster = crowded(crashing(), event("BackOff", ("Pod", "web-7d9f-x")))

    found = ask(cluster, alert(**labels))

    assert reasons(objects(found, "Pod")["web-7d9f-x"]) == ["CrashLoopBackOff"]


def test_few_of_many_pods_that_warnings_tell_of_are_asked_for():
    """One of each workload before two."""
    events = [event("BackOff", ("Pod", f"web-{n}")) for n in range(9)]
    events += [event("BackOff", ("Pod", "pay-0"))]
    crowd = [pod(f"aaa-{n}") for n in range(41)]

    found = ask(FakeKubernetes(page=10).has(*crowd, *events))

    named = [query for query in queries(found) if "metadata.name" in query]
    assert len(named) == 5
    assert f"{PODS}?fieldSelector=metadata.name=pay-0" in named


def test_names_beyond_the_limit_are_told():
    """A storm of alerts does not become a storm of questions."""
    alerts = [alert(namespace="shop", pod=f"web-{n:02}") for n in range(12)]

    found = ask(crowded(), *alerts)

    told_of = [each.error for each in found.reports if "cut lists" in each.error]
    assert told_of == ["more than 10 names in cut lists, so not asked about Pod web-10, Pod web-11"]
    assert sum("metadata.name" in query for query in queries(found)) == 10


def test_cut_list_tells_how_to_see_the_rest():
    """A person may have more patience."""
    found = ask(crowded())

    cut = {each.query: each.by_hand for each in found.reports if each.truncated}
    assert cut[PODS] == "kubectl get pods -n shop"
    assert cut[EVENTS] == "kubectl get events -n shop"


def test_selectors_are_part_of_what_is_asked_by_hand():
    """As kubectl takes them."""
    web = deployment(spec={"selector": {"matchLabels": {"app": "web"}}})

    found = ask(crowded(web, crashing("web-1"), crashing("web-2")), WEB)

    by_hand = [each.by_hand for each in found.reports if each.truncated]
    assert "kubectl get pods -n shop --selector=app=web" in by_hand


def test_events_of_a_named_pod_are_asked_for_by_their_object():
    """Others have filled the list."""
    cluster = crowded(crashing(), event("BackOff", ("Pod", "web-7d9f-x")))

    found = ask(cluster, alert(namespace="shop", pod="web-7d9f-x"))

    about = "involvedObject.kind=Pod,involvedObject.name=web-7d9f-x"
    assert f"{EVENTS}?fieldSelector={about}" in queries(found)
    assert told(found, EvidenceKind.EVENT)[0].data["reason"] == "BackOff"


def test_events_of_pods_found_in_trouble_are_asked_for_by_their_object():
    """Of a few of them."""
    pods = [crashing(f"{letter}-{n}") for letter in "bc" for n in range(6)]
    events = [event("Failed", ("Pod", f"b-{n}")) for n in range(6)]
    flood = [event("Unhealthy", ("Pod", f"aaa-{n}")) for n in range(5)]
    cluster = FakeKubernetes(page=4).has(*pods, *flood, *flood, *flood, *flood, *events)

    found = ask(cluster)

    assert sum("involvedObject" in query for query in queries(found)) == 8
    assert "Failed" in [item.data["reason"] for item in told(found, EvidenceKind.EVENT)]


def test_event_that_two_answers_show_counts_once():
    """The list has it, and the answer about its object too."""
    flood = [event("Unhealthy", ("Pod", f"zzz-{n}")) for n in range(5)]
    cluster = FakeKubernetes(page=1).has(
        crashing(), event("BackOff", ("Pod", "web-7d9f-x"), count=3), *flood
    )

    found = ask(cluster, alert(namespace="shop", pod="web-7d9f-x"))

    assert sum("involvedObject" in query for query in queries(found)) == 1
    assert told(found, EvidenceKind.EVENT)[0].data["count"] == 3


def test_events_by_the_other_api_have_another_word_for_their_object():
    """Where the first one is refused and the list of the other is cut."""
    cluster = crowded(crashing())
    cluster.refuse("/api/v1/namespaces/shop/events", reply("forbidden_403_list_pods"))

    found = ask(cluster, alert(namespace="shop", pod="web-7d9f-x"))

    about = "regarding.kind=Pod,regarding.name=web-7d9f-x"
    path = "/apis/events.k8s.io/v1/namespaces/shop/events"
    assert f"GET {path}?fieldSelector={about}" in queries(found)


def test_pods_of_a_cut_list_that_are_well_are_not_told():
    """The first by name say nothing of the others."""
    assert objects(ask(crowded()), "Pod") == {}


def test_named_pod_that_is_well_is_told_though_the_list_was_cut():
    """It was seen itself."""
    found = ask(crowded(pod("web-1")), alert(namespace="shop", pod="web-1"))

    assert objects(found, "Pod")["web-1"].summary.startswith("Pod web-1 (shop) has no problem")


def test_service_is_not_judged_by_a_part_of_the_pods():
    """Its pods may be in the rest."""
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 9}]}

    labels = {"kubernetes.io/service-name": "web"}
    ready = thing("EndpointSlice", "web-x", labels=labels, endpoints=[{"addresses": ["10.1.0.5"]}])

    found = ask(crowded(thing("Service", "web", spec=spec), ready))

    assert objects(found, "Service") == {}


def test_service_without_endpoints_is_so_whatever_its_pods_are():
    """Endpoints were all listed."""
    spec = {"selector": {"app": "web"}, "ports": []}

    found = ask(crowded(thing("Service", "web", spec=spec)))

    assert reasons(objects(found, "Service")["web"]) == ["NoEndpoints"]
    assert "pods" not in objects(found, "Service")["web"].data["facts"]


def test_rollout_is_not_told_where_a_revision_between_may_be_missing():
    """Only neighbours are compared, and no first one that may not be the first."""
    before = ONSET - timedelta(minutes=10)
    history = [replica_set(f"web-{n}", n, f"web:{n}", before) for n in (3, 5)]
    others = [thing("ReplicaSet", f"zzz-{n}", created=LONG_AGO) for n in range(5)]

    cut = ask(FakeKubernetes(page=1).has(*history, *others), WEB)
    whole = ask(FakeKubernetes().has(*history, *others), WEB)

    assert told(cut, EvidenceKind.CHANGE) == []
    assert len(told(whole, EvidenceKind.CHANGE)) == 2


def test_crowded_namespace_is_asked_about_with_few_requests():
    """What is asked for by name has an end."""
    pods = [crashing(f"web-{n}") for n in range(40)]
    events = [event("BackOff", ("Pod", f"web-{n}")) for n in range(40)]
    cluster = crowded(*pods, *events)

    ask(cluster, *(alert(namespace="shop", pod=f"web-{n}") for n in range(40)), log_lines=9)

    lists_and_their_pages = 18 + 2 * 3
    by_name, by_state, of_warnings, of_events, logs = 10, 2, 5, 8, 10
    bound = lists_and_their_pages + by_name + by_state + of_warnings + of_events + logs
    assert len(cluster.asked) <= bound
