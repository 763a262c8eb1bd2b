"""Where alerts point."""

import pytest
from unit.collect.stand_ins import make_alert

from tasks.collect.targets import host_of, owner_of, subject_of, targets_of


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


def test_targets_are_listed_once_in_order_of_the_alerts():
    """A group of alerts of one service makes one target."""
    first = make_alert({"namespace": "shop", "service": "web"})
    second = make_alert({"namespace": "shop", "service": "cart", "pod": "cart-1"})

    targets = targets_of([first, second, first])

    assert targets.namespaces == ("shop",)
    assert targets.services == (("shop", "web"), ("shop", "cart"))
    assert targets.pods == (("shop", "cart-1"),)


def test_targets_of_an_alert_without_places_are_nowhere():
    """Seventeen of the kube-prometheus rules carry no label but severity."""
    targets = targets_of([make_alert({"alertname": "KubeCPUOvercommit", "severity": "warning"})])

    assert targets.is_nowhere


def test_targets_keep_job_and_instance_of_vague_alerts_only():
    """They matter when nothing better is named."""
    vague = make_alert({"job": "api", "instance": "10.0.0.1:8080"})
    exact = make_alert({"job": "web", "instance": "10.0.0.2:8080", "namespace": "shop"})

    targets = targets_of([vague, exact])

    assert targets.jobs == ("api",)
    assert targets.instances == ("10.0.0.1:8080",)


def test_targets_of_a_storm_are_bounded():
    """A thousand pods do not make a query of a thousand names."""
    storm = [make_alert({"namespace": "shop", "pod": f"web-{n}"}) for n in range(1000)]

    assert len(targets_of(storm).pods) == 50


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
