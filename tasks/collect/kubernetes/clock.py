"""Times of other clocks: those of a cluster may be ahead of ours."""

from datetime import datetime, timedelta
from typing import Any

MAX_AHEAD = timedelta(minutes=2)
"""A clock that is ahead by no more than this differs; what lies further ahead is not told."""


def by_our_clock(at: datetime, now: datetime) -> datetime | None:
    """Return a time, which is now at the latest; None when it lies too far ahead."""
    return min(at, now) if at - now <= MAX_AHEAD else None


def ahead(at: datetime, now: datetime) -> dict[str, Any]:
    """Return the mark of evidence whose time was ahead of our clock; empty for other evidence."""
    seconds = (at - now).total_seconds()
    return {"clock_ahead_seconds": round(seconds, 3)} if seconds > 0 else {}
