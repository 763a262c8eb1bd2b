"""What people teach: causes they confirm and reject, and what is linked."""

import pytest
from factories import REPORT
from past import alone
from steps import claimed, completed

from opssage.incident import Stage
from opssage.linking import Link, Linking, LinkReason

LIST = "/api/v1/incidents"
PRIORS = "/api/v1/knowledge/priors"
FAULT = {**REPORT, "cause": "out_of_memory", "root_cause_component": "service/cart"}


@pytest.fixture
def incident_id(store):
    """An incident whose cause was found."""
    found = alone(store, "A")
    completed(store, found, report=FAULT)
    return found


def test_judgements_are_counted(client, incident_id):
    """With what they weigh, and a version."""
    before = client.get(PRIORS)

    client.post(f"{LIST}/{incident_id}/feedback", json={"verdict": "confirmed"})

    after = client.get(PRIORS, headers={"If-None-Match": before.headers["ETag"]})
    assert before.json == {"version": 0, "items": []}
    assert after.json == {
        "version": 1,
        "items": [
            {
                "namespace": "shop",
                "component": "service/cart",
                "cause": "out_of_memory",
                "confirmed": 1,
                "rejected": 0,
                "weight": 0.405465,
            }
        ],
    }
    etag = {"If-None-Match": after.headers["ETag"]}
    assert client.get(PRIORS, headers=etag).status_code == 304


def test_the_true_cause_is_told_by_its_name(client, incident_id):
    """It counts for that cause, and is shown with the judgement."""
    said = {"verdict": "rejected", "cause": "config_value_invalid"}

    answer = client.post(f"{LIST}/{incident_id}/feedback", json=said)

    assert (answer.status_code, answer.json["cause"]) == (201, "config_value_invalid")
    assert {
        each["cause"]: (each["confirmed"], each["rejected"])
        for each in client.get(PRIORS).json["items"]
    } == {"out_of_memory": (0, 1), "config_value_invalid": (1, 0)}


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("config_value_invalld", "did you mean config_value_invalid?"),
        ("xyz", "docs/reference.md lists them"),
    ],
)
def test_a_cause_that_nobody_knows_is_refused(client, incident_id, cause, told):
    """With the one that may be meant."""
    said = {"verdict": "rejected", "cause": cause}

    answer = client.post(f"{LIST}/{incident_id}/feedback", json=said)

    assert answer.status_code == 422
    assert told in answer.get_data(as_text=True)


def test_linked_incidents_are_listed(client, store, incident_id):
    """From both ends; none of an incident that stands alone, 404 of one that is not there."""
    other = alone(store, "B")
    link = Link.between(str(incident_id), str(other), LinkReason.SAME_NODE, "3 s apart: same node")
    store.update_primary_context(other, claimed(store, other).epoch, {"alert_seq": 1})
    epoch = claimed(store, other, Stage.ENRICH).epoch
    store.update_enhanced_context(other, epoch, {}, Linking(links=(link,)))

    (found,) = client.get(f"{LIST}/{incident_id}/links").json["items"]

    assert (found["incident_id"], found["reason"]) == (str(other), "same_node")
    assert (found["alert_name"], found["detail"]) == ("B", "3 s apart: same node")
    assert client.get(f"{LIST}/{alone(store, 'C')}/links").json["items"] == []
    client.delete(f"{LIST}/{other}")
    assert client.get(f"{LIST}/{other}/links").status_code == 404
