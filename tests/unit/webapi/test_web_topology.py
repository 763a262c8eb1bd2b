"""The service graph as it is answered: what is written down, and what was seen."""

import pytest
from factories import REPORT, alert, group
from steps import claimed

from opssage.incident import Stage
from opssage.settings import load
from webapi.app import create_app

URL = "/api/v1/topology"
FILE = """
services:
  shop/web: {owner: team-a, calls: [shop/orders]}
  shop/orders: {calls: [billing/pay]}
  tools/wiki: {owner: team-b}
"""


@pytest.fixture
def client(store, nudges, tmp_path):
    """A client of an app that has a topology file."""
    (tmp_path / "topology.yaml").write_text(FILE)
    (tmp_path / "config.yaml").write_text("sources: {topology_file: ./topology.yaml}")
    return create_app(load(tmp_path / "config.yaml", {}), store, nudges, {}).test_client()


def see(store, topology):
    """Run an incident around which these calls are seen."""
    (touched,) = store.create_incident(group(alert(), key=str(topology))).incidents
    for stage, verb, document in (
        (Stage.COLLECT, store.update_primary_context, {"alert_seq": 1}),
        (Stage.ENRICH, store.update_enhanced_context, {"topology": topology}),
        (Stage.DIAGNOSE, store.update_diagnostic_report, REPORT),
    ):
        verb(touched.incident_id, claimed(store, touched.incident_id, stage).epoch, document)


def calls(client, query=""):
    """Return the calls, `caller > called: sources`."""
    return [
        f"{each['caller']} > {each['called']}: {' '.join(each['sources'])}"
        for each in client.get(f"{URL}{query}").json["calls"]
    ]


def test_the_file_and_what_was_seen_are_one_graph(client, store):
    """A name alone is the service that the graph knows by it; each call tells who says so."""
    see(store, {"web": ["orders", "cart"]})

    assert calls(client) == [
        "shop/orders > billing/pay: topology_file",
        "shop/web > cart: incidents",
        "shop/web > shop/orders: incidents topology_file",
    ]


def test_services_have_owners(client):
    """Those that call nobody are there too when somebody owns them."""
    shown = {each["service"]: each["owner"] for each in client.get(URL).json["services"]}

    assert shown == {
        "billing/pay": None,
        "shop/orders": None,
        "shop/web": "team-a",
        "tools/wiki": "team-b",
    }


@pytest.mark.parametrize(
    ("query", "services"),
    [
        ("?service=orders", ["billing/pay", "shop/orders", "shop/web"]),
        ("?service=shop/web&hops=1", ["shop/orders", "shop/web"]),
        ("?service=wiki", ["tools/wiki"]),
        ("?service=web&hops=0", ["shop/web"]),
        ("?service=other/web", []),
        ("?service=nothing", []),
    ],
)
def test_the_graph_is_cut_around_a_service(client, query, services):
    """So many calls away at most."""
    assert [each["service"] for each in client.get(URL + query).json["services"]] == services


def test_a_poll_is_a_304_until_the_graph_changes(client, store):
    """By the content, whatever it comes from."""
    etag = client.get(URL).headers["ETag"]
    same = client.get(URL, headers={"If-None-Match": etag})

    see(store, {"web": ["cart"]})

    assert (same.status_code, same.data) == (304, b"")
    assert client.get(URL, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("query", ["?service=a/b/c", "?hops=11", "?hop=1", "?service="])
def test_a_question_that_means_nothing_is_refused(client, query):
    """Rather than answered with all of it."""
    assert client.get(URL + query).status_code == 422


def test_without_a_file_and_incidents_there_is_no_graph(app):
    """Nothing is an answer."""
    assert app.test_client().get(URL).json == {"services": [], "calls": [], "truncated": False}
