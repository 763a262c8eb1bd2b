"""Labels read as places."""

import pytest

from opssage.places import (
    called_by,
    caller_of,
    deployment_of,
    host_of,
    owner_of,
    places_in,
    service_of,
    subject_of,
)


def test_subject_takes_the_labels_that_name_places():
    """Namespace, service, pod and the rest are read from the labels that may hold them."""
    subject = subject_of({"namespace": "shop", "app": "web", "pod_name": "web-1", "team": "x"})

    assert subject == {"namespace": "shop", "service": "web", "pod": "web-1"}


def test_subject_prefers_the_objects_own_labels():
    """Where the scraper overwrote a label, the exported one is the object's."""
    subject = subject_of({"namespace": "monitoring", "exported_namespace": "shop"})

    assert subject == {"namespace": "shop"}


def test_subject_of_a_node_exporter_is_the_node():
    """Namespace and pod on a node-exporter's series name the exporter itself."""
    subject = subject_of(
        {
            "job": "node-exporter",
            "instance": "worker-3:9100",
            "namespace": "monitoring",
            "pod": "node-exporter-x2x1z",
        }
    )

    assert subject == {"instance": "worker-3:9100", "node": "worker-3"}


def test_subject_of_port_9100_is_a_node_without_a_job_too():
    """The node-exporter's port is enough."""
    assert subject_of({"instance": "10.0.0.5:9100"})["node"] == "10.0.0.5"


def test_subject_drops_what_names_kube_state_metrics():
    """A service label of kube-state-metrics does not name the troubled service."""
    subject = subject_of(
        {
            "job": "kube-state-metrics",
            "service": "kube-state-metrics",
            "instance": "10.1.1.1:8080",
            "namespace": "shop",
            "deployment": "cart",
        }
    )

    assert subject == {"namespace": "shop", "workload": "cart"}


def test_subject_drops_the_exporters_own_pod_and_namespace():
    """An alert about a node may carry the pod of the exporter that measured it."""
    subject = subject_of(
        {
            "job": "kube-state-metrics",
            "namespace": "monitoring",
            "pod": "kube-state-metrics-7d9f8b6c5d-x2x1z",
            "node": "worker-1",
        }
    )

    assert subject == {"node": "worker-1"}


@pytest.mark.parametrize(
    "labels",
    [
        {"job": "kube-state-metrics", "service": "kube-prometheus-stack-kube-state-metrics"},
        {"service": "kube-prometheus-stack-kube-state-metrics"},
        {"job": "node-exporter", "service": "kube-prometheus-stack-prometheus-node-exporter"},
        {"job": "kubelet", "service": "kube-prometheus-stack-kubelet"},
        {"job": "node", "service": "host"},
        {"service": "prometheus-blackbox-exporter"},
    ],
)
def test_who_measured_is_not_the_service(labels):
    """An exporter's own name in the label `service` names nobody who is in trouble."""
    assert service_of(labels) is None


def test_a_service_called_node_is_a_service():
    """Only as a job does the word mean the node-exporter."""
    assert service_of({"service": "node"}) == "node"


def test_places_are_taken_at_their_word():
    """Who writes a log line is who it is about, be it an exporter."""
    labels = {"namespace": "monitoring", "app": "kube-state-metrics"}

    assert places_in(labels) == {"namespace": "monitoring", "service": "kube-state-metrics"}


def test_a_workload_stands_in_for_the_service():
    """Where no label names a service, what was deployed does."""
    assert service_of({"deployment": "cart"}) == "cart"
    assert service_of({"deployment": "cart", "service": "shop-cart"}) == "shop-cart"


def test_a_pod_of_a_deployment_stands_in_for_the_service():
    """Most alerts about pods name nothing else."""
    assert service_of({"pod": "checkout-7d9f8b6c5d-x2x1z"}) == "checkout"
    assert service_of({"pod": "toolbox"}) is None


@pytest.mark.parametrize(
    ("labels", "caller", "called"),
    [
        ({"service": "web", "dependency": "auth"}, "web", ("auth",)),
        ({"service": "web", "target_service": "auth"}, "web", ("auth",)),
        ({"service": "web", "upstream": "auth.shop.svc.cluster.local"}, "web", ("auth",)),
        ({"source_workload": "web", "destination_workload": "auth"}, "web", ("auth",)),
        ({"service": "web", "peer": "auth", "peer_service": "auth.shop.svc"}, "web", ("auth",)),
        ({"service": "web", "dependency": "api.example.com"}, "web", ("api.example.com",)),
        ({"service": "web"}, "web", ()),
    ],
)
def test_labels_name_both_sides_of_a_call(labels, caller, called):
    """Several labels name the called side; hosts of the cluster become services."""
    assert (caller_of(labels), called_by(labels)) == (caller, called)


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("worker-3", "worker-3"),
        ("worker-3:9100", "worker-3"),
        ("10.0.0.5:9100", "10.0.0.5"),
        ("[fd00::5]:9100", "fd00::5"),
        ("https://example.com/health", "https://example.com/health"),
    ],
)
def test_host_is_the_instance_without_port(instance, host):
    """Only a port is cut off."""
    assert host_of(instance) == host


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        ("checkout-7d9f8b6c5d-x2x1z", "checkout"),
        ("postgres-0", "postgres"),
        ("fluentd-x7k2p", "fluentd"),
        ("my-redis-cache", "my-redis-cache"),
        ("web", "web"),
    ],
)
def test_owner_is_the_pod_without_what_the_controller_appended(pod, owner):
    """Words that look like suffixes stay."""
    assert owner_of(pod) == owner


@pytest.mark.parametrize(
    ("pod", "deployment"),
    [
        ("checkout-7d9f8b6c5d-x2x1z", "checkout"),
        ("redis-cluster1-proxy", None),
        ("fluentd-x7k2p", None),
        ("postgres-0", None),
    ],
)
def test_only_two_hashes_tell_of_a_deployment(pod, deployment):
    """One hash or a number may be a part of the name itself."""
    assert deployment_of(pod) == deployment
