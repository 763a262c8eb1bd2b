"""What a process knows of the team's documents, and when it reads them again."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from opssage.knowledge import KnowledgeDocument
from tasks.enrich import Library, library

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Knowledge:
    """A knowledge base that counts how often its documents are read."""

    def __init__(self, **texts: str) -> None:
        self.version, self.texts, self.reads = 1 if texts else 0, texts, 0
        self.beside = lambda: None

    def change(self, **texts: str) -> None:
        self.texts |= texts
        self.version += 1

    def knowledge_version(self) -> int:
        return self.version

    def knowledge_documents(self) -> tuple[KnowledgeDocument, ...]:
        self.reads += 1
        found = tuple(document(name, text) for name, text in sorted(self.texts.items()))
        self.beside()
        return found


def document(name, text):
    """Return a document of the knowledge base."""
    return KnowledgeDocument(
        document_id=UUID(int=1),
        name=name,
        text=text,
        title=name,
        about={},
        origin="",
        digest=text,
        size=len(text),
        version=1,
        created_at=NOON,
        updated_at=NOON,
        updated_by="ann",
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with one runbook."""
    (tmp_path / "disk.md").write_text("Drain the disk.")
    return tmp_path


def names(shelf):
    """Return the names of what stands there."""
    return [runbook.name for runbook in shelf.runbooks]


def test_a_library_holds_the_folder_and_the_documents(folder):
    """In order of name, with the version that was read."""
    shelf = Library(folder, Knowledge(dns="Restart it.", api="Call Kim.")).shelf()

    assert names(shelf) == ["api", "disk", "dns"]
    assert shelf.version == 1


def test_a_document_replaces_the_file_of_its_name(folder):
    """The team corrected what was shipped."""
    shelf = Library(folder, Knowledge(disk="Call the owner.")).shelf()

    (found,) = shelf.search("disk owner", limit=5)
    assert found.chunk.text == "Call the owner."


def test_without_a_knowledge_base_there_is_the_folder(folder):
    """Version 0 says that none was searched."""
    shelf = Library(folder).shelf()

    assert (names(shelf), shelf.version) == (["disk"], 0)
    assert Library(None).shelf().runbooks == ()


def test_documents_are_read_again_only_when_they_have_changed():
    """One number is asked for; the rest costs a read of everything."""
    knowledge = Knowledge(dns="Restart it.")
    shelves = Library(None, knowledge)

    first, second = shelves.shelf(), shelves.shelf()
    knowledge.change(disk="Drain it.")

    assert first is second
    assert names(shelves.shelf()) == ["disk", "dns"]
    assert knowledge.reads == 2


def test_only_changed_documents_are_parsed_again(monkeypatch):
    """Ten thousand passages take seconds to parse, one of them a millisecond."""
    parsed = []
    real = library.parse_runbook
    monkeypatch.setattr(
        library, "parse_runbook", lambda *told: parsed.append(told[0]) or real(*told)
    )
    knowledge = Knowledge(dns="Restart it.", disk="Drain it.")
    shelves = Library(None, knowledge)
    shelves.shelf()

    knowledge.change(disk="Grow it.")
    shelves.shelf()

    assert parsed == ["disk", "dns", "disk"]


def test_what_is_read_is_of_the_version_that_is_told():
    """A document that changes while all are read has them read again."""
    knowledge = Knowledge(dns="Restart it.")

    def change_once():
        knowledge.beside = lambda: None
        knowledge.change(dns="Scale it out.")

    knowledge.beside = change_once

    shelf = Library(None, knowledge).shelf()

    assert (shelf.version, shelf.runbooks[0].chunks[0].text) == (2, "Scale it out.")


def test_a_document_that_cannot_be_read_is_left_out_and_told():
    """The others are there."""
    with capture_logs() as logged:
        shelf = Library(None, Knowledge(good="Fine.", bad="---\n- x\n---\nText.")).shelf()

    assert names(shelf) == ["good"]
    assert [line["name"] for line in logged if line["event"] == "document_skipped"] == ["bad"]


def test_reading_that_takes_long_is_not_repeated_at_once(monkeypatch):
    """While many documents are changed one by one, incidents do not wait for each."""
    clock = iter([0.0, 3.0, 10.0, 40.0, 43.0])
    monkeypatch.setattr(library, "monotonic", lambda: next(clock))
    knowledge = Knowledge(dns="Restart it.")
    shelves = Library(None, knowledge)

    versions = [shelves.shelf().version]
    for text in ("Scale it.", "Scale it out."):
        knowledge.change(dns=text)
        versions.append(shelves.shelf().version)

    assert versions == [1, 1, 3]
