"""The knowledge base on both kinds of database."""

from concurrent.futures import ThreadPoolExecutor

from opssage.access import Actor
from store import DocumentChange, DocumentFilter, NewDocument

ANN = Actor(name="ann", request_id="r1")
ROOM = 10_000


def new(name="cart", text="Drain it.", **told):
    """A document."""
    values = {"title": name, "about": {"tags": ["ä"]}, "digest": text, **told}
    return NewDocument(name=name, text=text, **values)


def test_a_document_is_read_as_it_was_written(store):
    """The same content again is the same row and the same version."""
    added, kept = store.put_document(new(), ANN, most_bytes=ROOM)
    version = store.knowledge_version()

    assert added is DocumentChange.ADDED
    assert store.get_document(kept.document_id) == kept
    assert store.knowledge_documents() == (kept,)
    assert store.put_document(new(), ANN, most_bytes=ROOM) == (DocumentChange.UNCHANGED, kept)
    assert store.knowledge_version() == version == 1


def test_every_change_moves_the_version(store):
    """Nothing else does; what does nothing leaves no note."""
    _, kept = store.put_document(new(), ANN, most_bytes=ROOM)
    replaced, second = store.put_document(new(text="Ask Kim."), ANN, most_bytes=ROOM)
    stale = store.replace_document(
        kept.document_id, new(text="x"), ANN, most_bytes=ROOM, version=kept.version
    )
    full = store.put_document(new("other", "x" * ROOM), ANN, most_bytes=ROOM)

    assert (replaced, second.version) == (DocumentChange.REPLACED, 2)
    assert (stale, full) == ((DocumentChange.STALE, second), (DocumentChange.FULL, None))
    assert store.knowledge_version() == 2
    assert store.delete_document(kept.document_id, ANN)
    assert not store.delete_document(kept.document_id, ANN)
    assert store.knowledge_version() == 3
    assert [entry.action for entry in store.list_audit()] == [
        *("document.delete", "document.replace", "document.add"),
    ]


def test_many_writers_keep_one_row_a_name_and_count_right(store):
    """Each waits for the one before, so no change is lost and no name comes twice."""
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(
                lambda n: store.put_document(new(f"d{n % 3}", f"{n}"), ANN, most_bytes=ROOM),
                range(12),
            )
        )

    changes = [change for change, _ in made]
    assert changes.count(DocumentChange.ADDED) == 3
    assert changes.count(DocumentChange.REPLACED) == 9
    assert store.knowledge_version() == 12
    assert [document.name for document in store.knowledge_documents()] == ["d0", "d1", "d2"]


def test_documents_are_paged_and_ordered_alike(store):
    """By change in lists, by name in code points as a whole; lists carry no text."""
    for name in ("b", "B", "ä", "a"):
        store.put_document(new(name, origin="git" if name == "a" else ""), ANN, most_bytes=ROOM)

    first = store.list_documents(limit=3)
    after = (first[-1].updated_at, first[-1].document_id)
    rest = store.list_documents(after=after)

    assert [each.name for each in (*first, *rest)] == ["a", "ä", "B", "b"]
    assert {each.text for each in first} == {""}
    assert [each.name for each in store.knowledge_documents()] == ["B", "a", "b", "ä"]
    chosen = DocumentFilter(name=["a", "b"], origin=["git"])
    assert [each.name for each in store.list_documents(chosen)] == ["a"]
