import pytest

from tasks.diagnose.component import Names


@pytest.mark.parametrize(
    ("subject", "component"),
    [
        ({"service": "web", "pod": "web-7f9c8d6b5f-xk4nm"}, "service/web"),
        ({"workload": "web"}, "service/web"),
        ({"pod": "web-7f9c8d6b5f-xk4nm"}, "service/web"),
        ({"pod": "payment-service-7d9f8b6c5-xk4nm"}, "service/payment-service"),
        ({"pod": "toolbox"}, "pod/toolbox"),
        ({"pod": "worker-1"}, "pod/worker-1"),
        ({"node": "node-7"}, "node/node-7"),
        ({"pod": "web-7f9c8d6b5f-xk4nm", "node": "node-7"}, "service/web"),
        ({"service": "kube-state-metrics", "pod": "web-7f9c8d6b5f-xk4nm"}, "service/web"),
        ({"container": "worker"}, "service/worker"),
        ({"job": "web"}, "service/web"),
        ({"instance": "10.0.0.7:9100"}, "node/10.0.0.7"),
        ({"namespace": "shop"}, None),
    ],
)
def test_subject_means_one_component(subject, component):
    """The most telling label decides; a pod counts as the service it belongs to."""
    assert Names.of([subject]).component(subject) == component


def test_numbered_pod_of_a_known_workload_is_that_workload():
    """A StatefulSet's pod loses its number when its owner is known from elsewhere."""
    names = Names.of([{"workload": "orders-db"}, {"pod": "orders-db-0"}])

    assert names.component({"pod": "orders-db-0"}) == "service/orders-db"


def test_workload_takes_the_name_of_its_service():
    """A workload that is seen with a service of another name is that service everywhere."""
    names = Names.of([{"service": "payment", "pod": "payment-v2-7f9c8d6b5f-xk4nm"}])

    assert names.component({"workload": "payment-v2"}) == "service/payment"
    assert names.called("payment-v2:8080".partition(":")[0]) == "service/payment"


@pytest.mark.parametrize(
    ("host", "component"),
    [
        ("ledger.shop.svc.cluster.local", "service/ledger"),
        ("ledger.shop", "service/ledger"),
        ("ledger", "service/ledger"),
        ("auth", "service/auth-service"),
        ("api.example.com", "service/api.example.com"),
        ("10.0.0.7", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_host_name_means_the_service_behind_it(host, component):
    """Cluster names are cut to the service; addresses mean nobody."""
    names = Names.of([{"service": "ledger"}, {"service": "auth-service"}])

    assert names.called(host) == component


def test_volume_claim_belongs_to_the_workload_it_is_named_after():
    """A StatefulSet's claims carry its name."""
    names = Names.of([{"workload": "orders-db"}])

    assert names.component({"pvc": "data-orders-db-0"}) == "service/orders-db"


SHOP, BANK = ({"namespace": place, "service": "redis"} for place in ("shop", "bank"))


def test_namesake_in_another_namespace_is_another_component():
    """The incident's own keeps its short name; who is only elsewhere needs no namespace."""
    names = Names.of([SHOP, BANK, {"namespace": "bank", "service": "pay"}], home="shop")

    assert names.component(SHOP) == "service/redis"
    assert names.component(BANK) == "service/bank/redis"
    assert names.component({"namespace": "bank", "service": "pay"}) == "service/pay"


@pytest.mark.parametrize(
    ("host", "near", "component"),
    [
        ("redis", "", "service/redis"),
        ("redis", "shop", "service/redis"),
        ("redis", "bank", "service/bank/redis"),
        ("redis", "other", "service/redis"),
        ("redis.bank.svc.cluster.local:6379", "shop", "service/bank/redis"),
        ("redis.shop.svc", "bank", "service/redis"),
    ],
)
def test_shared_name_means_the_one_that_is_near(host, near, component):
    """A host of the cluster says which; a name alone is one beside the caller, else our own."""
    names = Names.of([SHOP, BANK], home="shop")

    assert names.called(host, near) == component


def test_topology_tells_namesakes_apart():
    """A database that is only known as somebody's callee is not taken for ours."""
    names = Names.of([SHOP], {"bank/pay", "bank/redis"}, home="shop")

    assert names.workload("redis", "bank") == "service/bank/redis"
    assert names.workload("pay", "bank") == "service/pay"
