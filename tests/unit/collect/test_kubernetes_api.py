"""What is asked of an API server, and how its refusals are told."""

import json

import httpx2
import pytest
from unit.collect.kubernetes_stand_ins import FakeKubernetes, ask, objects, pod, recorded, reply
from unit.collect.stand_ins import make_alert

from opssage.evidence import SourceStatus

OK, EMPTY, FAILED, SKIPPED = (
    SourceStatus.OK,
    SourceStatus.EMPTY,
    SourceStatus.FAILED,
    SourceStatus.SKIPPED,
)


def line(answer, path):
    """The line of the ledger about a path."""
    return next(each for each in answer.reports if each.query.partition("?")[0].endswith(path))


def alert(**labels):
    return make_alert({"alertname": "A", **labels})


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (
            reply("forbidden_403_list_pods"),
            FAILED,
            "in namespace shop: grant `list` on `deployments` of API group `apps`",
        ),
        (
            reply("unauthorized_401"),
            FAILED,
            "the API server does not accept the credentials: check sources.kubernetes.config",
        ),
        (
            reply("no_token_401"),
            FAILED,
            "the API server does not accept the credentials: check sources.kubernetes.config",
        ),
        (
            reply("unknown_group_404"),
            EMPTY,
            "this cluster does not serve deployments of apps/v1",
        ),
        (
            reply("bad_label_selector"),
            FAILED,
            "the query was refused (HTTP 400): unable to parse requirement: found ''",
        ),
        (
            reply("events_bad_field_selector"),
            FAILED,
            "the query was refused (HTTP 400): field label not supported: foo.bar",
        ),
        (reply("missing_namespace_empty_list"), EMPTY, ""),
        (httpx2.Response(200, text="<html>"), FAILED, "the answer is not JSON"),
        (httpx2.Response(200, text="[]"), FAILED, "does not have the form of a Kubernetes object"),
        (httpx2.Response(200, json={"items": [1]}), FAILED, "the form of a list of objects"),
        (httpx2.Response(429, json={"message": "slow down"}), FAILED, "too many requests"),
        (httpx2.Response(302, headers={"Location": "/"}), FAILED, "HTTP 302"),
        (httpx2.Response(500, text="etcd is away"), FAILED, "etcd is away"),
    ],
)
def test_refusal_is_a_line_of_the_ledger_and_the_rest_goes_on(answer, status, told):
    """The error forms of a real API server, and of what stands before one."""
    cluster = FakeKubernetes().has(pod())
    cluster.refuse("/deployments", answer)

    found = ask(cluster)

    report = line(found, "/deployments")
    assert (report.status, told in report.error) == (status, True)
    assert "web-1" in objects(found, "Pod")
    assert report.by_hand == ("" if status is EMPTY else "kubectl get deployments.apps -n shop")


def test_cluster_resource_that_is_refused_names_the_verb():
    """Rights of one namespace are normal."""
    cluster = FakeKubernetes().has(pod())
    cluster.refuse("/nodes", reply("view_role_nodes_403"))

    found = ask(cluster)

    report = line(found, "/nodes")
    assert report.error == "cannot list nodes: grant `list` on `nodes`"
    assert report.by_hand == "kubectl get nodes"
    assert objects(found, "Pod")


def test_server_that_is_away_is_not_asked_on():
    """It costs one time-out, not one for each kind."""
    cluster = FakeKubernetes()
    cluster.refuse("/", httpx2.ConnectError("refused"))

    found = ask(cluster)

    assert {each.status for each in found.reports} == {FAILED, SKIPPED}
    assert len(cluster.asked) <= 6
    assert found.evidence == ()
    assert all(each.by_hand for each in found.reports)


def test_server_that_does_not_know_us_is_not_asked_on():
    """The same would come for every kind."""
    cluster = FakeKubernetes()
    cluster.refuse("/", reply("unauthorized_401"))

    ask(cluster)

    assert len(cluster.asked) <= 6


def test_one_question_that_takes_too_long_does_not_end_the_others():
    """Others were answered, so the server is there."""
    cluster = FakeKubernetes().has(pod())
    cluster.refuse("/limitranges", httpx2.ReadTimeout("slow"))

    found = ask(cluster)

    assert line(found, "/limitranges").status is FAILED
    assert line(found, "/nodes").status is EMPTY


def test_pages_are_joined():
    """The token of a real API server survives the search for secrets."""
    first = recorded("pods_list_chunk_limit1")["body"]
    last = {"kind": "PodList", "items": [pod("web-1")]}
    asked = []

    class Paged(FakeKubernetes):
        def _objects(self, path, selector):
            if not path.endswith("/pods"):
                return super()._objects(path, selector)
            asked.append(dict(self.asked[-1].url.params))
            return httpx2.Response(200, json=last if "continue" in asked[-1] else first)

    paged = Paged()
    found = ask(paged)

    assert [each.get("continue") for each in _of_pods(paged)] == [
        None,
        first["metadata"]["continue"],
    ]
    assert set(objects(found, "Pod")) == {"checkout-7d9f-crash", "web-1"}


def _of_pods(cluster):
    return [dict(r.url.params) for r in cluster.asked if r.url.path.endswith("/pods")]


def test_list_without_an_end_is_cut_and_says_so():
    """What is not among its items may still be there."""

    class Endless(FakeKubernetes):
        def _objects(self, path, selector):
            response = super()._objects(path, selector)
            document = {**json.loads(response.text), "metadata": {"continue": "more"}}
            return httpx2.Response(200, json=document if path.endswith("/pods") else {"items": []})

    cluster = Endless().has(pod())
    found = ask(cluster, alert(namespace="shop", pod="gone-1"))

    report = line(found, "/pods")
    assert (report.truncated, report.error) == (True, "the first 4 of more")
    assert "gone-1" not in objects(found, "Pod")


def test_page_that_expired_leaves_the_pages_before():
    """The API server forgets where a list was after some minutes: 410."""

    class Forgetful(FakeKubernetes):
        def _objects(self, path, selector):
            if "continue" in self.asked[-1].url.params:
                return httpx2.Response(410, json={"message": "too old"})
            first = {"items": [pod(ready=False)], "metadata": {"continue": "more"}}
            return httpx2.Response(200, json=first if path.endswith("/pods") else {"items": []})

    found = ask(Forgetful())

    assert line(found, "/pods").truncated
    assert "web-1" in objects(found, "Pod")


def test_names_that_are_none_of_kubernetes_are_not_asked_for():
    """Labels come from outside; what is left is asked."""
    cluster = FakeKubernetes()

    found = ask(cluster, alert(namespace="../../secrets"), alert(namespace="shop"))

    assert not any("secrets" in request.url.path for request in cluster.asked)
    assert "no names of Kubernetes objects: “../../secrets”" in [r.error for r in found.reports]
    assert line(found, "/shop/pods").status is EMPTY


@pytest.mark.parametrize(
    "labels", [{"namespace": "sh op", "pod": "../x"}, {"pod": "x" * 300}, {"node": "a,b=c"}]
)
def test_alert_with_odd_names_only_asks_for_nothing(labels):
    """It is about a place, though nobody knows which: not about the whole cluster."""
    cluster = FakeKubernetes()

    found = ask(cluster, alert(**labels))

    assert cluster.asked == []
    assert [each.status for each in found.reports] == [SKIPPED]


def test_odd_name_beside_an_address_does_not_list_the_cluster():
    """Nodes tell whose address it is."""
    cluster = FakeKubernetes()

    ask(cluster, alert(node="a,b=c"), alert(instance="10.0.0.1:8080"))

    assert cluster.paths == ["/api/v1/nodes"]


def test_selectors_are_encoded():
    """A name is a value of the query, never a part of it."""
    cluster = FakeKubernetes()

    ask(cluster, alert(pod="web-1&limit=1"), alert(pod="web-1"))

    queries = [request.url.query.decode() for request in cluster.asked]
    assert "fieldSelector=metadata.name%3Dweb-1&limit=250" in queries
    assert not any("limit=1&" in query or query.endswith("limit=1") for query in queries)


def test_things_without_a_namespace_are_looked_for():
    """Their namespace is the one that is asked about."""
    cluster = FakeKubernetes().has(pod("web-1", namespace="shop"))

    found = ask(cluster, alert(pod="web-1"))

    assert line(found, "/shop/pods").status is OK
    assert "web-1" in objects(found, "Pod")


def test_node_is_asked_for_its_pods_and_its_events():
    """In all namespaces; its address is as good as its name."""
    node = {"kind": "Node", **recorded("node_get")["body"]}
    cluster = FakeKubernetes().has(node, pod("ill", ready=False))

    found = ask(cluster, alert(node="127.0.0.1"))

    queries = [each.query for each in found.reports]
    assert "GET /api/v1/pods?fieldSelector=spec.nodeName=node-1" in queries
    assert set(objects(found, "Node")) == {"node-1"}
    assert set(objects(found, "Pod")) == {"ill"}


def test_alert_that_names_no_place_is_about_the_whole_cluster():
    """Nodes, what is in trouble, and warnings."""
    cluster = FakeKubernetes().has(pod("well"), pod("ill", ready=False))

    found = ask(cluster, alert())

    assert set(objects(found, "Pod")) == {"ill"}
    assert line(found, "/api/v1/nodes").status is EMPTY
    assert "GET /api/v1/events?fieldSelector=type=Warning" in [r.query for r in found.reports]


def test_of_many_namespaces_the_first_are_looked_at():
    """The ledger names the others."""
    found = ask(FakeKubernetes(), *(alert(namespace=f"n{n}") for n in range(5)))

    assert "more than 3 namespaces, so not asked about n3, n4" in [r.error for r in found.reports]


def test_namespace_is_asked_for_with_few_requests():
    """One list of each kind."""
    cluster = FakeKubernetes().has(*(pod(f"web-{n}") for n in range(20)))

    ask(cluster, log_lines=200)

    assert len(cluster.asked) == 18
