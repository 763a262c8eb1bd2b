"""Lists: for people and for pipes."""

import io

import pytest
from rich.console import Console

from cli import listing

ROWS = [["a1", None, "one\x1b[2J"], ["b2", 7, "two"]]


@pytest.mark.parametrize(
    ("terminal", "lines"),
    [
        (True, ["id  last seen  reason", "a1             one [2J", "b2  7          two"]),
        (False, ["a1\t\tone [2J", "b2\t7\ttwo"]),
    ],
)
def test_a_list_has_a_heading_on_a_terminal_alone(terminal, lines):
    """Piped, each line is a thing; nowhere does a cell steer the terminal."""
    console = Console(file=io.StringIO(), force_terminal=terminal, no_color=True, width=80)

    listing.show(console, ("id", "last_seen", "reason"), ROWS)

    shown = console.file.getvalue().replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert [line.rstrip() for line in shown.splitlines()] == lines


def test_an_empty_list_is_empty():
    """A heading of nothing tells nothing."""
    console = Console(file=io.StringIO(), force_terminal=True)

    listing.show(console, ("id",), [])

    assert console.file.getvalue() == ""
