"""The knowledge base by REST: keeping, replacing, reading, deleting and searching documents."""

import hashlib
import io

import pytest

from opssage.settings import load
from webapi.app import create_app

DOCUMENTS = "/api/v1/documents"
TEXT = """---
title: Checkout is slow
services: [checkout]
owner: shop
reviewed: 2026-11-01
---
## Actions
- Drain the stale consumer.
"""
NEW = {"name": "shop/checkout", "text": TEXT}


@pytest.fixture
def keep(client):
    """Post a document; returns the answer."""
    return lambda **told: client.post(DOCUMENTS, json={**NEW, **told})


@pytest.fixture
def upload(client):
    """Post a file; returns the answer."""

    def send(filename, content=b"Drain it.", **form):
        data = {"file": (io.BytesIO(content), filename), **form}
        return client.post(DOCUMENTS, data=data, content_type="multipart/form-data")

    return send


def test_a_document_is_kept_with_what_its_front_matter_says(keep, client):
    """The list shows everything but its text."""
    made = keep()

    assert made.status_code == 201
    (item,) = client.get(DOCUMENTS).json["items"]
    assert item == {key: made.json[key] for key in item}
    assert (item["title"], item["size"], item["version"]) == ("Checkout is slow", len(TEXT), 1)
    assert (item["about"]["owner"], item["about"]["services"]) == ("shop", ["checkout"])
    assert (item["updated_by"], item["origin"]) == ("default", "")
    assert client.get(f"{DOCUMENTS}/{item['document_id']}").json == {**item, "text": TEXT}


def test_the_same_content_again_is_no_change(keep, store):
    """Whoever syncs twice wakes no worker up."""
    first = keep()
    version = store.knowledge_version()

    again = keep()

    assert (again.status_code, again.json["change"]) == (200, "unchanged")
    assert again.json["document_id"] == first.json["document_id"]
    assert store.knowledge_version() == version


def test_other_content_under_the_name_replaces_it(keep, client, store):
    """The document stays the same one."""
    first = keep()
    version = store.knowledge_version()

    second = keep(text="Ask Kim.")

    assert (second.status_code, second.json["change"]) == (200, "replaced")
    assert second.json["document_id"] == first.json["document_id"]
    assert (second.json["version"], second.json["title"]) == (2, "shop/checkout")
    assert store.knowledge_version() > version
    assert len(client.get(DOCUMENTS).json["items"]) == 1


def test_a_file_is_called_by_its_own_name(upload):
    """Its digest is that of the file, so that a client can tell whether it has changed."""
    made = upload("folder/checkout.md", b"Drain it.", origin="git.example/runbooks")

    assert (made.status_code, made.json["name"]) == (201, "checkout")
    assert made.json["digest"] == hashlib.sha256(b"Drain it.").hexdigest()
    assert made.json["origin"] == "git.example/runbooks"
    assert upload("x.txt", name="shop/pay").json["name"] == "shop/pay"


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"nmae": "x"}, "did you mean name?"),
        ({"content": "x"}, "did you mean text?"),
        ({"colour": "x"}, "there are name, origin, text"),
        ({"name": ""}, "begin with no blank"),
        ({"name": "a#b"}, "without #"),
        ({"name": "a\nb"}, "without #"),
        ({"text": " \n"}, "Holds no text"),
        ({"text": "# Only a heading"}, "holds no text"),
        ({"text": "---\ntitle: [a\n---\nx"}, "front matter is not YAML in line 3"),
        ({"text": "---\ntags: {a: b}\n---\nx"}, "`tags` must be a list of words"),
    ],
)
def test_a_faulty_document_is_refused_by_field(keep, told, fault):
    """The answer says what to mend."""
    answer = keep(**told)

    assert answer.status_code == 422
    assert fault in answer.text


@pytest.mark.parametrize(
    ("filename", "form", "fault"),
    [
        ("a.md", {"name": " "}, "begin with no blank"),
        ("a.md", {"path": "x"}, "did you mean name?"),
        ("#.md", {}, "the name of the file is none for a document"),
    ],
)
def test_a_faulty_form_is_refused_by_field(upload, filename, form, fault):
    """As JSON is."""
    answer = upload(filename, **form)

    assert answer.status_code == 422
    assert fault in answer.text


def test_a_form_needs_one_file(client):
    """Under the name that the description gives it."""
    data = {"document": (io.BytesIO(b"x"), "a.md")}

    answer = client.post(DOCUMENTS, data=data, content_type="multipart/form-data")

    assert (answer.status_code, answer.json["errors"]["form"].keys()) == (422, {"file"})


@pytest.mark.parametrize("kind", ["text/markdown", "application/pdf", "application/octet-stream"])
def test_another_kind_of_body_is_told_what_is_taken(client, kind):
    """A bare file has no name to be kept under."""
    answer = client.post(DOCUMENTS, data=b"x", content_type=kind)

    assert answer.status_code == 415
    assert "multipart/form-data with a part `file`: Markdown" in answer.json["detail"]


def test_a_document_is_replaced_only_as_it_was_read(keep, client):
    """Of two people who edit it at once, the second one is told."""
    address = f"{DOCUMENTS}/{keep().json['document_id']}"
    tag = client.get(address).headers["ETag"]

    first = client.put(address, json={"text": "Ask Kim."}, headers={"If-Match": tag})
    second = client.put(address, json={"text": "Ask Lee."}, headers={"If-Match": tag})

    assert (first.status_code, first.json["name"]) == (200, "shop/checkout")
    assert (second.status_code, second.json["title"]) == (412, "Precondition Failed")
    assert client.get(address).json["text"] == "Ask Kim."
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200
    assert client.put(address, json={"text": "Ask Lee."}).json["version"] == 3


def test_an_unchanged_document_costs_no_body(keep, client):
    """As with incidents."""
    address = f"{DOCUMENTS}/{keep().json['document_id']}"
    tag = client.get(address).headers["ETag"]

    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


def test_a_document_keeps_its_name(keep, client):
    """Another name is another document."""
    address = f"{DOCUMENTS}/{keep().json['document_id']}"

    answer = client.put(address, json={"text": "Ask Kim.", "name": "other"})

    assert (answer.status_code, answer.json["errors"]["json"].keys()) == (422, {"name"})


def test_a_deleted_document_leaves_nothing(keep, client, store):
    """Neither text nor passages; workers are told by the version."""
    address = f"{DOCUMENTS}/{keep().json['document_id']}"
    version = store.knowledge_version()

    assert client.delete(address).json["status"] == "deleted"

    assert store.knowledge_version() > version
    assert store.knowledge_documents() == ()
    assert found(client, "stale consumer") == []
    for method in ("GET", "DELETE", "PUT"):
        answer = client.open(address, method=method, json={"text": "x"})
        assert (answer.status_code, "there is no document" in answer.text) == (404, True)


def test_who_changed_a_document_is_written_down(guarded_app, make_token):
    """By name, with the content's digest; what is no change is not noted."""
    client = guarded_app.test_client()
    ann = {"X-API-Key": make_token("write", name="ann").text}
    made = client.post(DOCUMENTS, json=NEW, headers=ann)
    client.post(DOCUMENTS, json=NEW, headers=ann)
    client.delete(f"{DOCUMENTS}/{made.json['document_id']}", headers=ann)

    admin = {"X-API-Key": make_token("admin").text}
    entries = client.get("/api/v1/audit?actor=ann", headers=admin).json["items"]

    assert [entry["action"] for entry in entries] == ["document.delete", "document.add"]
    assert entries[0]["detail"] == {"name": "shop/checkout", "digest": made.json["digest"]}
    assert made.json["updated_by"] == "ann"


def test_documents_are_listed_in_pages_and_by_origin(keep, client):
    """The last changed first; every one once."""
    for number in range(5):
        keep(name=f"d{number}", origin="a" if number % 2 else "b")

    names, url = [], f"{DOCUMENTS}?limit=2"
    while url:
        page = client.get(url).json
        names += [item["name"] for item in page["items"]]
        url = page["next_cursor"] and f"{DOCUMENTS}?limit=2&cursor={page['next_cursor']}"

    assert names == ["d4", "d3", "d2", "d1", "d0"]
    assert [item["name"] for item in client.get(f"{DOCUMENTS}?origin=a").json["items"]] == [
        "d3",
        "d1",
    ]
    assert len(client.get(f"{DOCUMENTS}?name=d1&name=d2&name=x").json["items"]) == 2


def test_a_full_knowledge_base_takes_no_more(store, tmp_path):
    """Until something is deleted or made smaller."""
    (tmp_path / "config.yaml").write_text("enrich: {max_knowledge_bytes: 20}\n")
    settings = load(tmp_path / "config.yaml", environ={})
    client = create_app(settings, store, lambda: None, {}).test_client()
    first = client.post(DOCUMENTS, json={"name": "a", "text": "x" * 15})

    answer = client.post(DOCUMENTS, json={"name": "b", "text": "x" * 15})

    assert (first.status_code, answer.status_code) == (201, 409)
    assert "enrich.max_knowledge_bytes" in answer.json["detail"]
    assert client.post(DOCUMENTS, json={"name": "a", "text": "y" * 14}).status_code == 200
    assert client.post(DOCUMENTS, json={"name": "b", "text": "x" * 6}).status_code == 201


def found(client, query, **more):
    """Return what a search finds."""
    answer = client.post(f"{DOCUMENTS}/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


@pytest.fixture
def client(store, tmp_path):
    """A client of an app with one runbook in its folder."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "disk.md").write_text("## Check\nInodes are used up.\n")
    (tmp_path / "config.yaml").write_text("{}")
    settings = load(tmp_path / "config.yaml", environ={})
    return create_app(settings, store, lambda: None, {}).test_client()


def test_a_search_finds_documents_and_files(keep, client):
    """With the id that a diagnosis cites, and that of the document when it is one."""
    document_id = keep().json["document_id"]

    (passage,) = found(client, "stale consumers")
    (in_file,) = found(client, "inodes", limit=1)

    assert (passage["source_id"], passage["document_id"]) == (
        "shop/checkout#actions",
        document_id,
    )
    assert (passage["title"], passage["heading"]) == ("Checkout is slow", "Actions")
    assert passage["excerpt"] == "- Drain the stale consumer."
    assert 0 < passage["relevance"] <= 1
    assert (in_file["name"], in_file["document_id"]) == ("disk", None)


def test_a_search_sees_what_was_changed_since(keep, client):
    """The index is made anew when the knowledge base has moved."""
    assert found(client, "kafka") == []

    keep(text="Drain the Kafka consumer.")

    assert [passage["name"] for passage in found(client, "kafka")] == ["shop/checkout"]


def test_a_document_counts_in_place_of_a_file_of_its_name(keep, client):
    """Whoever edits it here does not have to touch the server's disk."""
    keep(name="disk", text="Ask Kim about inodes.")

    assert [passage["excerpt"] for passage in found(client, "inodes")] == ["Ask Kim about inodes."]


@pytest.mark.parametrize(
    "asked",
    [{}, {"query": ""}, {"query": "x", "limit": "5"}, {"query": "x", "limit": 21}, {"q": "x"}],
)
def test_a_faulty_search_is_refused(client, asked):
    """As all our own bodies are."""
    assert client.post(f"{DOCUMENTS}/search", json=asked).status_code == 422
