"""What people are told of an incident."""

from enum import StrEnum


class Event(StrEnum):
    """Why somebody is told."""

    COMPLETED = "completed"
    """The investigation has an answer."""
    FAILED = "failed"
    """The investigation was given up."""
    REOPENED = "reopened"
    """A resolved incident fires again."""


class Outcome(StrEnum):
    """How a notification ended."""

    SENT = "sent"
    """The target took it."""
    SKIPPED = "skipped"
    """The target's filters do not want it."""
    FAILED = "failed"
    """Given up; its error says why."""
