"""The rights that are asked for are those that are used."""

from pathlib import Path

import pytest
import yaml
from unit.collect.kubernetes_stand_ins import (
    FakeKubernetes,
    ask,
    pod,
    reply,
    thing,
    waiting,
)
from unit.collect.stand_ins import make_alert

from tasks.collect.kubernetes.questions import GROUPED_EVENTS, OF_CLUSTER, RESOURCES

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"


def granted(file):
    """All triples of group, resource and verb of the one role in a file."""
    documents = yaml.safe_load_all((FOLDER / file).read_text())
    (role,) = (each for each in documents if each["kind"] in {"Role", "ClusterRole"})
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(cluster):
    """The same of what was asked, read from the paths alone."""
    found = set()
    for path in cluster.paths:
        parts = path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        resource, *name = rest[2:] if rest[0] == "namespaces" else rest
        plural = f"{resource}/log" if name[1:] == ["log"] else resource
        found.add((group, plural, "get" if name else "list"))
    return found


def everything():
    """A cluster that leads to every question there is."""
    content = {"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]}
    cluster = FakeKubernetes().has(
        pod(
            "web-1",
            waiting("CrashLoopBackOff", restartCount=1),
            spec={"containers": [{"name": "app", **content}]},
        ),
        thing("PersistentVolumeClaim", "data", spec={}, status={"phase": "Pending"}),
        thing("Ingress", "web", spec={"ingressClassName": "outer"}),
    )
    cluster.refuse("/shop/events", reply("forbidden_403_list_pods"))
    labels = {"alertname": "A", "namespace": "shop", "node": "node-1"}
    ask(cluster, make_alert(labels), log_lines=9)
    ask(cluster, make_alert({"alertname": "A"}))
    ask(cluster, make_alert({"alertname": "A", "service": "web", "pod": "web-1"}))
    return cluster


def test_cluster_role_grants_what_is_asked_and_nothing_more():
    """No verb but get and list, and nothing of Secrets."""
    assert granted("cluster-role.yaml") == used(everything())


def test_role_of_a_namespace_is_the_cluster_role_without_what_has_no_namespace():
    """Nodes and classes belong to the cluster."""
    plurals = {RESOURCES[kind].plural for kind in OF_CLUSTER}

    assert granted("role.yaml") == {
        each for each in granted("cluster-role.yaml") if each[1] not in plurals
    }


def test_role_of_a_namespace_can_be_applied_in_any():
    """An object that names another namespace than the one it is applied in is refused."""
    for document in yaml.safe_load_all((FOLDER / "role.yaml").read_text()):
        assert "namespace" not in document["metadata"]


@pytest.mark.parametrize("file", ["cluster-role.yaml", "role.yaml"])
def test_role_is_bound_to_the_one_account(file):
    """Names agree; the account of all comes with the role of the cluster."""
    account, *_ = yaml.safe_load_all((FOLDER / "cluster-role.yaml").read_text())
    *_, role, binding = yaml.safe_load_all((FOLDER / file).read_text())

    assert binding["roleRef"]["kind"] == role["kind"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (
        account["metadata"]["name"],
        account["metadata"]["namespace"],
    )


def test_every_kind_there_is_may_be_asked():
    """The table of kinds is what the roles are made from."""
    resources = (*RESOURCES.values(), GROUPED_EVENTS)

    assert {(each.group, each.plural) for each in resources} == {
        (group, plural) for group, plural, _ in granted("cluster-role.yaml") if plural != "pods/log"
    }
