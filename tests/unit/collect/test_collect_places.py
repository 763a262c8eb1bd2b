"""Targets made complete with what Kubernetes knows."""

from tasks.collect.places import PodInfo, places_of
from tasks.collect.targets import Targets


def pod(name, node="", namespace="shop", owner="", kind="ReplicaSet"):
    return PodInfo(namespace=namespace, pod=name, node=node, owner=owner, owner_kind=kind)


def places(targets, of_targets=(), on_nodes=(), node_names=None):
    return places_of(
        targets,
        of_targets=tuple(of_targets),
        on_nodes=tuple(on_nodes),
        node_names=node_names or {},
    )


def test_nodes_of_the_alerts_pods_come_first():
    """Then the nodes that carry most of the namespace."""
    targets = Targets(namespaces=("shop",), pods=(("shop", "web-1"),))

    found = places(targets, [pod("a", "n1"), pod("b", "n1"), pod("web-1", "n2")])

    assert found.nodes == ("n2", "n1")


def test_node_target_shows_the_pods_of_other_namespaces_on_it():
    """Who uses the node may be anybody."""
    targets = Targets(namespaces=("shop",), nodes=("n1",))
    on_node = [pod("web-1", "n1"), pod("batch-1", "n1", namespace="reports")]

    found = places(targets, [pod("web-1", "n1")], on_node)

    assert found.node_pod_namespaces == ("reports",)
    assert found.node_pods == ("batch-1",)
    assert found.bare_nodes == ()


def test_node_without_known_pods_is_asked_for_by_its_label():
    """The series of containers may carry the node themselves."""
    assert places(Targets(nodes=("n1",))).bare_nodes == ("n1",)


def test_node_named_by_its_address_gets_its_name():
    """A node-exporter's instance is often an address."""
    found = places(Targets(nodes=("10.0.0.5",)), node_names={"10.0.0.5": "n1"})

    assert found.nodes == ("n1",)
    assert found.hosts == ("n1", "10.0.0.5")
    assert found.node_of("10.0.0.5:9100") == "n1"


def test_service_without_namespace_is_found_by_its_pods():
    """An application's own alert may know only its name."""
    found = places(Targets(services=(("", "web"),)), [pod("web-1", namespace="shop")])

    assert found.namespaces == ("shop",)
    assert found.stray_services == ()


def test_service_nobody_knows_is_asked_for_by_name():
    """Its metrics may still carry it."""
    assert places(Targets(services=(("", "web"),))).stray_services == ("web",)


def test_pod_is_completed_with_node_and_workload():
    """The workload of a ReplicaSet's pod is the Deployment."""
    found = places(Targets(namespaces=("shop",)), [pod("web-1", "n1", owner="web-7d9f8b6c5d")])

    subject = found.complete({"namespace": "shop", "pod": "web-1"})

    assert subject == {"namespace": "shop", "pod": "web-1", "node": "n1", "workload": "web"}


def test_workload_of_a_stateful_set_is_its_name():
    """Only ReplicaSets carry a hash."""
    assert pod("db-0", owner="db-main", kind="StatefulSet").workload == "db-main"


def test_pod_of_a_node_has_no_workload():
    """Static pods belong to their node."""
    assert pod("etcd-n1", owner="n1", kind="Node").workload == ""


def test_machine_of_an_instance_is_looked_at():
    """A node-exporter on the same host knows how it fares."""
    found = places(Targets(instances=("10.0.0.7:1433",)), node_names={"10.0.0.5": "n1"})

    assert found.hosts == ("10.0.0.7",)
    assert not found.is_nowhere


def test_job_is_found_by_its_pods():
    """Jobs are often called after what they scrape."""
    found = places(Targets(jobs=("web",)), [pod("web-1", namespace="shop")])

    assert found.namespaces == ("shop",)


def test_neighbours_inside_the_alerts_namespaces_are_asked_for_already():
    """Only those elsewhere need questions of their own."""
    found = places(Targets(namespaces=("shop",))).with_neighbours(
        [("shop", "cart"), ("db", "orders"), ("", "mail")]
    )

    assert (found.neighbour_namespaces, found.neighbours) == (("db",), ("orders",))
    assert found.stray_neighbours == ("mail",)
