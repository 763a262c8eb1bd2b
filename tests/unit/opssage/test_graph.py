"""Services, who calls whom, and what is near."""

from itertools import pairwise

import pytest

from opssage.graph import Edge, ServiceGraph, bare_names, parts_of, service_named


def graph(*calls: str, source: str = "mesh") -> ServiceGraph:
    """A graph of `caller > called > its called …`."""
    chains = [call.split(" > ") for call in calls]
    return ServiceGraph.of(
        Edge(caller=caller, called=called, source=source)
        for chain in chains
        for caller, called in pairwise(chain)
    )


def pairs(found: ServiceGraph) -> list[tuple[str, str]]:
    return [(edge.caller, edge.called) for edge in found.edges]


@pytest.mark.parametrize(
    ("name", "namespace", "service"),
    [
        ("cart", "shop", "shop/cart"),
        ("cart", "", "cart"),
        ("cart", "unknown", "cart"),
        ("shop/cart", "", "shop/cart"),
        ("shop/cart", "other", "shop/cart"),
        ("prod/shop/cart", "", "shop/cart"),
        ("cart.shop.svc", "", "shop/cart"),
        ("cart.shop.svc.cluster.local", "other", "shop/cart"),
        ("cart.shop.svc.cluster.local.:8080", "", "shop/cart"),
        ("cart:8080", "shop", "shop/cart"),
        ("api.example.com:443", "", "api.example.com"),
        ("", "shop", ""),
        ("unknown", "unknown", ""),
        ("PassthroughCluster", "", ""),
        ("10.0.0.7:5432", "", ""),
        ("fd00::7", "", ""),
        ("localhost:6379", "", ""),
    ],
)
def test_a_service_has_one_name_however_it_is_told(name, namespace, service):
    """Metrics, files and alerts are compared by it; who cannot be named is nobody."""
    assert service_named(name, namespace) == service


@pytest.mark.parametrize(
    ("service", "parts"), [("shop/cart", ("shop", "cart")), ("cart", ("", "cart"))]
)
def test_a_service_is_a_namespace_and_a_name(service, parts):
    """The pair is what targets are made of."""
    assert parts_of(service) == parts
    assert service_named(parts[1], parts[0]) == service


def test_a_name_alone_is_the_one_service_that_has_it():
    """Tracing often knows no namespaces where the mesh does."""
    found = graph("shop/web > shop/cart", "web > cart > db")

    assert pairs(found) == [("shop/cart", "db"), ("shop/web", "shop/cart")]


def test_a_name_that_several_have_stays_alone():
    """Nothing tells which of them is meant."""
    found = graph("a/web > a/db", "b/web > b/db", "web > cache")

    assert pairs(found) == [("a/web", "a/db"), ("b/web", "b/db"), ("web", "cache")]


def test_calls_to_nobody_or_to_itself_are_none():
    """Half an edge leads nowhere."""
    found = graph("shop/web > shop/web", "web > shop/web", " > shop/web", "shop/web > ")

    assert not found


def test_origins_are_joined_each_call_once_in_order():
    """Who says so stays known; the order in which it was told does not matter."""
    mesh, file = graph("b > c", "a > b", "a > b"), graph("a > b", source="file")

    rows = [["a", "b", "file"], ["a", "b", "mesh"], ["b", "c", "mesh"]]
    assert mesh.joined(file).rows() == file.joined(mesh).rows() == rows
    assert ServiceGraph.from_rows(rows) == mesh.joined(file)


def test_callers_and_called_are_in_order_of_name():
    """Both sides of an edge can be looked up."""
    found = graph("web > cart", "web > auth", "app > auth")

    assert found.calls["web"] == ("auth", "cart")
    assert found.callers["auth"] == ("app", "web")
    assert found.services == ("app", "auth", "cart", "web")


@pytest.mark.parametrize(
    ("namespace", "name", "services"),
    [
        ("shop", "cart", ("shop/cart",)),
        ("", "cart", ("pay/cart", "shop/cart")),
        ("pay", "web", ()),
        ("shop", "mail", ("mail",)),
        ("shop", "reviews", ("shop/reviews-v1", "shop/reviews-v2")),
        ("shop", "web-service", ("shop/web",)),
        ("shop", "authsvc", ("shop/auth", "shop/auth-service")),
        ("shop", "auth-service", ("shop/auth-service",)),
        ("shop", "service", ()),
        ("shop", "nobody", ()),
    ],
)
def test_a_name_is_found_in_its_namespace_or_by_its_stem(namespace, name, services):
    """A service, its workloads and its spans differ by endings; another namespace is another."""
    found = graph(
        "shop/web > shop/cart > mail",
        "pay/app > pay/cart",
        "shop/web > shop/reviews-v1",
        "shop/web > shop/reviews-v2",
        "shop/web > shop/auth",
        "shop/web > shop/auth-service",
    )

    assert found.find(namespace, name) == services


def test_neighbours_are_two_hops_away_nearest_first():
    """The called come before the callers, and what merely shares one comes last."""
    found = graph("edge > web > orders > stock > db > disk", "web > cart", "job > stock")

    assert found.neighbours("orders") == ("stock", "web", "db", "edge", "cart", "job")
    assert found.neighbours("orders", hops=1) == ("stock", "web")
    assert found.neighbours("orders", "web", most=3) == ("cart", "stock", "edge")


def test_cycles_end():
    """Everyone is reached once, and nobody is his own neighbour."""
    found = graph("a > b > c > a")

    assert found.neighbours("a", hops=9) == ("b", "c")
    assert pairs(found.chart("a")) == [("a", "b"), ("b", "c"), ("c", "a")]


def test_nobody_is_near_a_service_that_is_not_known():
    """Without the graph there are no neighbours."""
    assert graph("a > b").neighbours("x") == ()
    assert ServiceGraph().neighbours("x") == ()
    assert not graph("a > b").chart("x")


def test_a_chart_ends_after_three_hops():
    """What is further away is none of the incident's business."""
    found = graph("a > b > c > d > e")

    assert pairs(found.chart("a")) == [("a", "b"), ("b", "c"), ("c", "d")]


def test_ten_thousand_calls_are_bounded():
    """Of too many neighbours and calls the nearest are told, in order."""
    hub = graph(*(f"s{number:05} > hub" for number in range(10_000)), "hub > db", "db > disk")

    assert hub.neighbours("hub")[:2] == ("db", "s00000")
    assert len(hub.neighbours("hub")) == 20
    chart = hub.chart("hub")
    assert len(chart.edges) == 200
    assert ("hub", "db") in pairs(chart)
    assert list(chart.edges) == sorted(chart.edges)


def test_people_read_names_without_namespace_where_that_is_enough():
    """The namespace is said only where two services have one name."""
    shown = bare_names(["shop/web", "a/db", "b/db", "mail"])

    assert shown == {"shop/web": "web", "a/db": "a/db", "b/db": "b/db", "mail": "mail"}
