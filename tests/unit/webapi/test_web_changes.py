"""Changes: reporting one, and listing them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
import yaml

from opssage.errors import StoreUnavailableError
from opssage.settings import load
from webapi.app import create_app

DEPLOY_FOLDER = Path(__file__).parents[3] / "deploy"
CHANGES = "/api/v1/changes"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DEPLOY = {
    "kind": "deploy",
    "summary": "cart 1.8.0",
    "at": "2026-11-23T02:58:00Z",
    "by": "ann",
    "service": "cart",
    "namespace": "shop",
    "version_before": "1.7.3",
    "version_after": "1.8.0",
    "url": "https://ci.example.com/cart/512",
    "details": {"commit": "8c1f2ab"},
}


@pytest.fixture(autouse=True)
def clock():
    """The same moment for every request, until a test moves it."""
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


def faults_of(answer):
    """Return what a refusal says of the fields."""
    assert answer.status_code == 422, answer.json
    return answer.json["errors"]["json"]


def test_a_change_is_kept_as_it_was_reported(client):
    """201 with its id; the list has it."""
    answer = client.post(CHANGES, json=DEPLOY)

    kept = {**DEPLOY, "at": "2026-11-23T02:58:00.000000Z", "sender": "default"}
    assert answer.status_code == 201
    assert answer.json == {"change_id": answer.json["change_id"], **kept}
    assert client.get(CHANGES).json["items"] == [answer.json]


def test_a_change_reported_again_is_the_same(client):
    """200 with the first one, whatever the order of its fields."""
    first = client.post(CHANGES, json=DEPLOY)

    again = client.post(CHANGES, json=dict(reversed(DEPLOY.items())))

    assert (again.status_code, again.json) == (200, first.json)
    assert len(client.get(CHANGES).json["items"]) == 1


def test_a_change_that_differs_is_another(client):
    """Even by its time alone: the same version may be deployed twice."""
    client.post(CHANGES, json=DEPLOY)

    later = client.post(CHANGES, json={**DEPLOY, "at": "2026-11-23T02:59:00Z"})

    assert later.status_code == 201


@pytest.mark.parametrize(("seconds", "status"), [(2, 200), (299, 200), (301, 201)])
def test_a_change_without_a_time_happens_now(client, clock, seconds, status):
    """It is the same when a pipeline tries again, and another one later."""
    told = {"kind": "flag", "summary": "new-cart on"}
    first = client.post(CHANGES, json=told)
    clock.shift(seconds)

    again = client.post(CHANGES, json=told)

    assert first.json["at"] == "2026-11-23T03:00:00.000000Z"
    assert again.status_code == status


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ({"kind": "release"}, "deploy"),
        ({"summary": ""}, "between 1 and 1000"),
        ({"at": "yesterday"}, "2026-11-23T03:00:00Z"),
        ({"at": "1969-12-31T23:00:00Z"}, "2000 and 2999"),
        ({"url": "javascript:alert(1)"}, "https://"),
        ({"url": "https://ci/a b"}, "Not a URL"),
        ({"service": "c" * 513}, "512"),
        ({"service": "a\0"}, "NUL"),
        ({"details": []}, "object"),
        ({"details": {str(n): n for n in range(33)}}, "32"),
        ({"details": {"diff": "x" * 20_000}}, "16384"),
        ({"versoin_after": "1"}, "did you mean version_after?"),
        ({"Timestamp": "1"}, "did you mean at?"),
        ({"from": "1"}, "did you mean version_before?"),
        ({"xyzzy": "1"}, "put others into details"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_a_fault_names_its_field_and_the_fix(client, field, fault):
    """Nothing of it is kept."""
    faults = faults_of(client.post(CHANGES, json={**DEPLOY, **field}))

    ((name, told),) = faults.items()
    assert name in field
    assert fault in " ".join(told)
    assert client.get(CHANGES).json["items"] == []


def test_kind_and_summary_have_to_be_there(client):
    """All else may be left out."""
    assert set(faults_of(client.post(CHANGES, json={}))) == {"kind", "summary"}
    assert client.post(CHANGES, json={"kind": "other", "summary": "x"}).status_code == 201


@pytest.mark.parametrize(("minutes", "status"), [(4, 201), (6, 409)])
def test_a_change_to_come_is_refused(client, minutes, status):
    """A clock may be a little ahead; a plan is no change."""
    at = (NOW + timedelta(minutes=minutes)).isoformat()

    answer = client.post(CHANGES, json={**DEPLOY, "at": at})

    assert answer.status_code == status
    assert status == 201 or "360 s ahead" in answer.json["detail"]


def test_secrets_and_control_characters_are_not_kept(client):
    """Of no field."""
    secret = "ghp_" + "a1B2" * 9
    told = {
        **DEPLOY,
        "summary": f"\x1b[31mtoken={secret}\x1b[0m",
        "url": f"https://ci/?token={secret}",
        "version_after": f"v1\u202e {secret}",
        "details": {"password": "sesame", "log": f"\x07{secret}"},
    }

    kept = client.post(CHANGES, json=told)

    assert kept.status_code == 201
    assert secret not in kept.text
    assert "sesame" not in kept.text
    assert "\\u001b" not in kept.text
    assert kept.json["summary"].startswith("token=[redacted:")


@pytest.mark.parametrize("field", ["summary", "by", "service", "namespace", "version_after"])
def test_a_text_is_one_line(client, field):
    """Whoever reports a change writes no line of his own into what is told of it."""
    told = {**DEPLOY, field: "a\r\nb\tc"}

    assert client.post(CHANGES, json=told).json[field] == "a b c"


def test_a_mask_longer_than_its_secret_still_fits(client):
    """The columns have their lengths."""
    told = {**DEPLOY, "by": "a" * 115 + " password=x1"}

    assert len(client.post(CHANGES, json=told).json["by"]) == 128


def test_what_is_no_object_is_refused(client):
    """Neither a list nor text that is no JSON."""
    assert client.post(CHANGES, json=[DEPLOY]).status_code == 422
    assert client.post(CHANGES, data=b"{").status_code == 400


def test_the_list_is_chosen_by_time_place_and_kind(client):
    """Newest first; several values of one field mean any of them."""
    for minute, service in enumerate(("cart", "pay", "auth")):
        told = {**DEPLOY, "at": f"2026-11-23T02:0{minute}:00Z", "service": service}
        client.post(CHANGES, json=told)

    def listed(**query):
        items = client.get(CHANGES, query_string=query).json["items"]
        return [item["service"] for item in items]

    assert listed() == ["auth", "pay", "cart"]
    assert listed(service=["cart", "auth"]) == ["auth", "cart"]
    assert listed(since="2026-11-23T02:01:00Z", until="2026-11-23T02:01:00Z") == ["pay"]
    assert listed(kind="flag") == listed(namespace="elsewhere") == []


def test_the_list_is_paged(client):
    """Changes of one moment too; the link leads on."""
    for number in range(3):
        client.post(CHANGES, json={**DEPLOY, "summary": str(number)})

    first = client.get(CHANGES, query_string={"limit": 2})
    second = client.get(first.headers["Link"].partition(">")[0].removeprefix("<http://localhost"))

    assert [item["summary"] for item in first.json["items"]] == ["2", "1"]
    assert [item["summary"] for item in second.json["items"]] == ["0"]
    assert second.json["next_cursor"] is None


def test_a_change_has_the_name_of_its_token(guarded, make_token):
    """An ingest token may report and not read."""
    headers = {"Authorization": f"Bearer {make_token('ingest', name='ci').text}"}

    assert guarded.post(CHANGES, json=DEPLOY, headers=headers).json["sender"] == "ci"
    assert guarded.get(CHANGES, headers=headers).status_code == 403


def test_what_argo_cd_is_told_to_send_is_taken(client):
    """The template of the example, filled in as Argo CD fills it in."""
    example = yaml.safe_load((DEPLOY_FOLDER / "argocd" / "opssage.yml").read_text())["data"]
    hook = yaml.safe_load(example["template.opssage-change"])["webhook"]["opssage"]
    values = {
        ".app.metadata.name": "cart",
        ".app.metadata.namespace": "argocd",
        ".app.spec.destination.namespace": "shop",
        ".app.status.operationState.phase": "Succeeded",
        ".app.status.operationState.finishedAt": "2026-11-23T02:58:00Z",
        ".app.status.operationState.syncResult.revision": "8c1f2ab",
        ".context.argocdUrl": "https://argocd.example.com",
    }
    body = re.sub(r"\{\{(.+?)\}\}", lambda name: values[name[1]], hook["body"])

    answer = client.open(hook["path"], method=hook["method"], data=body)

    assert answer.status_code == 201, answer.json
    assert answer.json["url"] == "https://argocd.example.com/applications/argocd/cart"


class Away:
    """A store whose database is away."""

    def add_change(self, *_, **__):
        """Fail as the real one does."""
        raise StoreUnavailableError("connection refused")


def test_a_database_that_is_away_is_a_503():
    """What is answered 2xx is committed."""
    client = create_app(load(environ={}), Away(), lambda: None, {}).test_client()

    answer = client.post(CHANGES, json=DEPLOY)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
