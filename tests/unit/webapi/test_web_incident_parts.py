"""What hangs on an incident: alerts, timeline, evidence, its like, and what people say of it."""

from uuid import UUID

import pytest
from factories import NOON, REPORT, alert, group
from past import alone, over
from steps import claimed, opened

from opssage.evidence import Evidence, EvidenceKind, Window
from opssage.incident import Alert, AlertStatus, Stage
from opssage.wire import format_time, to_json

LIST = "/api/v1/incidents"
_WINDOW = Window(start=NOON, end=NOON, onset=NOON)


def observed(evidence_id: str, kind: EvidenceKind, source: str) -> dict:
    """Return an item of evidence as collect stores it."""
    return to_json(
        Evidence(
            kind=kind,
            source=source,
            summary=f"{evidence_id} of {source}",
            observed_at=NOON,
            subject={"service": "checkout"},
            window=_WINDOW if kind is EvidenceKind.METRIC else None,
            data={"signal": "up"},
            evidence_id=evidence_id,
        )
    )


COLLECTED = {
    "evidence_collected": {
        "metrics": [
            observed("E1", EvidenceKind.METRIC, "prometheus"),
            observed("E3", EvidenceKind.METRIC, "other"),
        ],
        "logs": [observed("E2", EvidenceKind.LOG, "loki")],
    },
    "alert_seq": 1,
}
CITED = {
    **REPORT,
    "supporting_evidence": [{"evidence_id": "E1", "statement": "up is 0"}],
    "hypotheses": [
        {"supports": [], "refutes": [{"evidence_id": "E2", "statement": "quiet"}]},
    ],
}
SIMILAR = {
    "incident_id": "019a0000-0000-7000-8000-000000000000",
    "alert_name": "A",
    "root_cause": "The disk was full",
    "created_at": format_time(NOON),
    "similarity": 0.5,
    "shares": ["service"],
    "category": "storage",
    "service": "cart",
    "namespace": "shop",
    "standing": "corrected",
    "resolved_at": format_time(NOON),
    "lasted_seconds": 0.0,
    "actions": [],
    "comment": "df",
}


@pytest.fixture
def incident_id(store) -> UUID:
    """An incident diagnosed from three items of evidence."""
    made = alone(store, "DiskFull")
    for stage, verb, document in (
        (Stage.COLLECT, store.update_primary_context, COLLECTED),
        (
            Stage.ENRICH,
            store.update_enhanced_context,
            {"contextual_enrichment": {"related_incidents": [SIMILAR]}},
        ),
        (Stage.DIAGNOSE, store.update_diagnostic_report, CITED),
    ):
        verb(made, claimed(store, made, stage).epoch, document)
    return made


def pages(client, path: str) -> list[list[dict]]:
    """Follow `Link` to the end."""
    found, url = [], path
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.json
        found.append(answer.json["items"])
        link = answer.headers.get("Link")
        url = link.split(">")[0][1:] if link else None
        assert bool(link) == bool(answer.json["next_cursor"])
    return found


def test_all_alerts_of_an_incident_are_listed(client, store):
    """With what became of each."""
    incident_id = opened(store, alert(pod="a"), alert(pod="b"))
    store.create_incident(group(alert(pod="b", resolved_after=60), sender="default"))

    listed = client.get(f"{LIST}/{incident_id}/alerts").json["items"]

    told = {item["labels"]["pod"]: item for item in listed}
    assert (told["a"]["status"], told["a"]["deliveries"], told["a"]["end_reason"]) == (
        "firing",
        1,
        None,
    )
    assert (told["b"]["status"], told["b"]["deliveries"]) == ("resolved", 2)
    assert told["b"]["ends_at"] == format_time(alert(resolved_after=60).ends_at)
    assert (told["a"]["sender"], told["a"]["alert_class"]) == ("default", "condition")


def test_alerts_say_what_their_sender_added(client, store):
    """Fields that only some senders have."""
    made = alert()
    added = {"dashboardURL": "http://grafana/d/1"}
    incident_id = opened(
        store,
        Alert(
            labels=made.labels,
            starts_at=made.starts_at,
            fingerprint=made.fingerprint,
            extra=added,
        ),
    )

    (item,) = client.get(f"{LIST}/{incident_id}/alerts").json["items"]

    assert item["extra"] == added


def test_alerts_are_paged_and_filtered(client, store):
    """A group may hold thousands."""
    incident_id = opened(store, *(alert(pod=str(number)) for number in range(5)))
    url = f"{LIST}/{incident_id}/alerts"

    listed = pages(client, f"{url}?limit=2&status=firing")

    assert [len(page) for page in listed] == [2, 2, 1]
    assert {item["labels"]["pod"] for page in listed for item in page} == set("01234")
    assert client.get(f"{url}?status={AlertStatus.RESOLVED}").json["items"] == []


def test_the_timeline_is_paged_oldest_first(client, incident_id):
    """Each event with its time, kind and data."""
    listed = [
        item for page in pages(client, f"{LIST}/{incident_id}/timeline?limit=1") for item in page
    ]

    kinds = [item["kind"] for item in listed]
    assert kinds[-3:] == ["context_collected", "context_enriched", "completed"]
    assert [item["at"] for item in listed] == sorted(item["at"] for item in listed)
    assert listed[-1]["data"]["stage"] == "diagnose"


def test_the_timeline_tells_old_answers_in_short(client, store, incident_id):
    """Their documents may be large."""
    store.restart_incident(incident_id)

    last = client.get(f"{LIST}/{incident_id}/timeline").json["items"][-1]

    assert last["kind"] == "restarted"
    assert set(last["data"]) == {"revision", "root_cause", "confidence_score"}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["E1", "E3", "E2"]),
        ("kind=log", ["E2"]),
        ("kind=log&kind=metric&source=prometheus&source=loki", ["E1", "E2"]),
        ("cited=true", ["E1", "E2"]),
        ("cited=false", ["E3"]),
        ("kind=event", []),
    ],
)
def test_evidence_is_listed_by_kind_source_and_citation(client, incident_id, query, ids):
    """Kind by kind, without its data."""
    told = client.get(f"{LIST}/{incident_id}/evidence?{query}").json

    assert [item["evidence_id"] for item in told["items"]] == ids
    assert told["revision"] == 1
    assert all("data" not in item for item in told["items"])


def test_one_item_of_evidence_is_shown_whole(client, incident_id):
    """With its data, and the time it was asked about."""
    item = client.get(f"{LIST}/{incident_id}/evidence/E1").json

    assert item == {
        **COLLECTED["evidence_collected"]["metrics"][0],
        "cited": True,
    }


def test_evidence_that_is_not_there_is_a_404(client, incident_id):
    """The incident is."""
    answer = client.get(f"{LIST}/{incident_id}/evidence/E9")

    assert answer.status_code == 404
    assert "has no such evidence" in answer.json["detail"]


def test_similar_incidents_are_those_that_enrich_found(client, store, incident_id):
    """None before it has run."""
    assert client.get(f"{LIST}/{incident_id}/similar").json["items"] == [SIMILAR]
    assert client.get(f"{LIST}/{alone(store, 'New')}/similar").json["items"] == []


@pytest.mark.parametrize("part", ["evidence", "evidence/E1", "similar"])
def test_a_poll_of_what_an_incident_holds_is_a_304_until_it_changes(
    client, store, incident_id, part
):
    """By the same ETag as the incident."""
    url = f"{LIST}/{incident_id}/{part}"
    etag = client.get(url).headers["ETag"]
    unchanged = client.get(url, headers={"If-None-Match": etag})

    client.put(f"{LIST}/{incident_id}/ack")

    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("part", ["alerts", "timeline", "evidence", "similar", "feedback"])
def test_the_parts_of_an_archived_incident_are_there(client, store, part):
    """By the same addresses."""
    incident_id = over(store)
    store.archive_incidents(1, 10)

    assert client.get(f"{LIST}/{incident_id}/{part}").status_code == 200


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ("alerts?status=over", "status"),
        ("alerts?cursor=x", "cursor"),
        ("timeline?cursor=1", "cursor"),
        ("timeline?limit=0", "limit"),
        ("evidence?kind=rumour", "kind"),
        ("evidence?cited=perhaps", "cited"),
        ("evidence?knid=log", "knid"),
        ("feedback?cursor=-1", "cursor"),
    ],
)
def test_a_wrong_query_names_its_field(client, incident_id, part, field):
    """A filter that would silently list everything is refused."""
    answer = client.get(f"{LIST}/{incident_id}/{part}")

    assert answer.status_code == 422
    assert field in answer.json["errors"]["query"]


def test_somebody_looks_after_an_incident(client, store, incident_id):
    """Said twice it is as if said once, and so it is taken back."""
    url = f"{LIST}/{incident_id}/ack"

    first, second = client.put(url, json={"note": "on it"}), client.put(url)

    assert first.json == second.json
    assert first.json["acked_by"] == "default"
    assert [client.delete(url).json["acked_at"] for _ in range(2)] == [None, None]
    kinds = [item["kind"] for item in client.get(f"{LIST}/{incident_id}/timeline").json["items"]]
    assert kinds[-2:] == ["acked", "unacked"]


def test_an_archived_incident_is_looked_after_by_nobody(client, store):
    """It is a 409 that says why."""
    incident_id = over(store)
    store.archive_incidents(1, 10)

    for method in ("PUT", "DELETE"):
        answer = client.open(f"{LIST}/{incident_id}/ack", method=method)
        assert (answer.status_code, "archived at" in answer.json["detail"]) == (409, True)


def test_a_diagnosis_is_judged(client, incident_id):
    """The answer and the list say of which revision it is."""
    url = f"{LIST}/{incident_id}/feedback"
    said = {"verdict": "rejected", "root_cause": "The cable was cut", "comment": "seen on site"}

    answer = client.post(url, json=said)

    assert answer.status_code == 201
    assert {name: answer.json[name] for name in said} == said
    assert (answer.json["by"], answer.json["revision"]) == ("default", 1)
    assert client.get(url).json["items"] == [answer.json]


def test_feedback_is_listed_newest_first(client, incident_id):
    """Page by page."""
    for verdict in ("rejected", "confirmed", "confirmed"):
        client.post(f"{LIST}/{incident_id}/feedback", json={"verdict": verdict})

    listed = pages(client, f"{LIST}/{incident_id}/feedback?limit=2")

    told = [[item["verdict"] for item in page] for page in listed]
    assert told == [["confirmed", "confirmed"], ["rejected"]]


def test_what_is_not_diagnosed_cannot_be_judged(client, store):
    """Nor what is being diagnosed anew; an unknown incident is a 404."""
    url = f"{LIST}/{alone(store, 'New')}/feedback"
    unknown = f"{LIST}/{UUID(int=0)}/feedback"

    answers = [client.post(each, json={"verdict": "confirmed"}) for each in (url, unknown)]

    assert [answer.status_code for answer in answers] == [409, 404]


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "field"),
    [
        ("feedback", "POST", b"{}", 422, "verdict"),
        ("feedback", "POST", b'{"verdict": "perhaps"}', 422, "verdict"),
        ("feedback", "POST", b'{"verdict": "confirmed", "comment": 1}', 422, "comment"),
        ("feedback", "POST", b'{"verdict": "confirmed", "why": "x"}', 422, "why"),
        ("feedback", "POST", b"[]", 422, "_schema"),
        ("feedback", "POST", b"", 400, None),
        ("ack", "PUT", b"{", 400, None),
        ("ack", "PUT", b'{"note": ["x"]}', 422, "note"),
        ("ack", "PUT", b'{"note": "%s"}' % (b"x" * 4097), 422, "note"),
    ],
)
def test_a_wrong_body_names_its_field(client, incident_id, path, method, body, status, field):
    """And changes nothing."""
    version = client.get(f"{LIST}/{incident_id}").headers["ETag"]

    answer = client.open(f"{LIST}/{incident_id}/{path}", method=method, data=body)

    assert answer.status_code == status
    assert field is None or field in answer.json["errors"]["json"]
    assert client.get(f"{LIST}/{incident_id}").headers["ETag"] == version


def test_what_cannot_be_stored_in_a_note_is_replaced(client, store, incident_id):
    """A NUL or a lone surrogate costs the character."""
    said = {"verdict": "rejected", "comment": "a\0b"}
    kept = client.post(f"{LIST}/{incident_id}/feedback", json=said).json

    assert kept["comment"] == "a\ufffdb"
    assert client.put(f"{LIST}/{incident_id}/ack", data=b'{"note": "x\\ud800y"}').status_code == 200
    assert store.list_events(incident_id)[-1].data["note"] == "x?y"


def test_deleting_an_incident_deletes_what_hangs_on_it(client, incident_id):
    """All its addresses are gone."""
    client.post(f"{LIST}/{incident_id}/feedback", json={"verdict": "confirmed"})

    client.delete(f"{LIST}/{incident_id}")

    for part in ("alerts", "timeline", "evidence", "similar", "feedback"):
        assert client.get(f"{LIST}/{incident_id}/{part}").status_code == 404
