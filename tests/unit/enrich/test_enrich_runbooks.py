"""Reading runbooks from a folder."""

import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tasks.enrich.runbooks import MAX_BYTES, RunbookError, load_runbooks, parse_runbook

SHIPPED = Path(__file__).parents[3] / "runbooks"

DISK = """\
---
title: Disk is full
services: [orders, billing]
alertnames: NodeFilesystemAlmostOutOfSpace
tags: [on, 500]
owner: storage
---
Read this first.

# Disk is full
## Check
Look at `df -h`.
## Fix
### At once
- Remove unused
  images:
  ```
  crictl rmi --prune
  ```
- Ask the owner
  - of the data
### Later
1. Grow the volume
## Check
Again.
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of runbooks to be filled: path → bytes."""

    def fill(**files):
        for name, content in files.items():
            (tmp_path / f"{name}.md").write_bytes(content)
        return tmp_path

    return fill


def test_front_matter_describes_the_runbook():
    """Lists may be given as one word; scalars stay the words they are."""
    runbook = parse_runbook("disk", DISK)

    assert runbook.title == "Disk is full"
    assert runbook.services == ("orders", "billing")
    assert runbook.alertnames == ("NodeFilesystemAlmostOutOfSpace",)
    assert runbook.tags == ("on", "500")
    assert runbook.owner == "storage"


def test_chunks_are_the_sections_with_text():
    """Every heading with text below it is a chunk with an id of its own."""
    ids = [chunk.source_id for chunk in parse_runbook("disk", DISK).chunks]

    assert ids == ["disk", "disk#check", "disk#at-once", "disk#later", "disk#check-2"]


def test_a_chunk_holds_its_section_as_written():
    """The Markdown of a section is kept; headings are not part of it."""
    chunks = {chunk.source_id: chunk for chunk in parse_runbook("disk", DISK).chunks}

    assert chunks["disk"].text == "Read this first."
    assert chunks["disk#check"].text == "Look at `df -h`."


def test_actions_are_the_list_items_below_an_action_heading():
    """Each item is one line, with its code and its sub-items; other sections give none."""
    runbook = parse_runbook("disk", DISK)

    assert [action for chunk in runbook.chunks for action in chunk.actions] == [
        "Remove unused images: crictl rmi --prune",
        "Ask the owner of the data",
        "Grow the volume",
    ]


def test_a_title_that_speaks_of_fixing_makes_no_actions():
    """`How to fix it` as the title does not turn every list into actions."""
    runbook = parse_runbook("disk", "# Fix a full disk\n## Symptoms\n- writes fail\n")

    assert runbook.chunks[0].actions == ()


@pytest.mark.parametrize(
    ("text", "title"),
    [("# Disk\nFull.", "Disk"), ("Full.", "host/disk"), ("---\n\nFull.", "host/disk")],
)
def test_a_runbook_without_front_matter_has_a_title(text, title):
    """The first heading is the title, or else the file's name."""
    assert parse_runbook("host/disk", text).title == title


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("---\ntitle: [\n---\nText.", "front matter is not YAML in line 3"),
        ("---\n- title\n---\nText.", "front matter is not a list of `key: value` lines"),
        ("---\ntitle: [a]\n---\nText.", "front matter `title` must be text"),
        ("---\nservices: {a: b}\n---\nText.", "front matter `services` must be a list of words"),
        ("---\ntitle: Nothing\n---\n\n# Nothing\n", "holds no text"),
    ],
)
def test_a_bad_runbook_is_refused_with_its_fault(text, fault):
    """The message names what is wrong."""
    with pytest.raises(RunbookError, match=f"^{re.escape(fault)}$"):
        parse_runbook("bad", text)


def test_a_runbook_whose_name_cannot_be_printed_is_refused():
    """Its name is part of answers, which are stored as UTF-8."""
    with pytest.raises(RunbookError, match="cannot be printed"):
        parse_runbook("disk\udce9", "Text.")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"ok \xff", "is not UTF-8 text (byte 3)"),
        (b"a\0b", "holds NUL characters: not text"),
        (b"x" * (MAX_BYTES + 1), "is larger than 1048576 bytes"),
        (b"", "holds no text"),
    ],
)
def test_a_bad_file_is_skipped_and_told(folder, content, fault):
    """The others are read; the warning names file and fault."""
    path = folder(bad=content, good=b"Fine.")

    with capture_logs() as logged:
        runbooks = load_runbooks(path)

    assert [runbook.name for runbook in runbooks] == ["good"]
    assert [(line["path"], line["fault"]) for line in logged] == [(str(path / "bad.md"), fault)]


def test_runbooks_come_in_order_of_path_from_subfolders_too(folder):
    """The order does not depend on the file system; hidden folders and other files are left out."""
    path = folder(b=b"B.", a=b"A.")
    for name in ("sub/c.md", ".git/d.md", "e.txt"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text("Text.")

    assert [runbook.name for runbook in load_runbooks(path)] == ["a", "b", "sub/c"]


def test_a_missing_folder_holds_no_runbooks(tmp_path):
    """Runbooks are optional."""
    assert load_runbooks(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.md")), ids=lambda path: path.stem)
def test_a_shipped_runbook_has_every_section_and_tells_each_risk(path):
    """Symptoms, Check, Actions and Verify; an action begins with its risk."""
    runbook = parse_runbook(path.stem, path.read_text())

    assert [chunk.heading for chunk in runbook.chunks] == ["Symptoms", "Check", "Actions", "Verify"]
    assert runbook.tags
    assert runbook.owner
    assert all(re.match("(Low|Medium|High) risk: ", each) for each in runbook.chunks[2].actions)
    assert runbook.chunks[2].actions


def test_escapes_of_front_matter_steer_no_terminal():
    """YAML writes characters that the text of the file does not have."""
    front = 'title: "\\x1b[31mred\\u202e\\0"\ntags: ["a\\ud800b"]'

    runbook = parse_runbook("x", f"---\n{front}\n---\ntext")

    assert (runbook.title, runbook.tags) == ("red", ("ab",))
