"""Ages as people write them: `90d`."""

import re
from typing import Any

import click

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_SECONDS = 100 * 365 * 86_400  # within what both databases can count back


class _Age(click.ParamType[float]):
    """A whole number with its unit; arrives in seconds."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds, or tell how an age is written."""
        if isinstance(value, float):
            return value
        seconds = seconds_in(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not an age: write 90d, 12h or 8w, up to 100 years", param, ctx)
        return seconds


def seconds_in(text: str) -> float | None:
    """Return the seconds of an age, or None when it is none."""
    parts = re.fullmatch(r"(\d{1,12})([smhdw])", text)
    seconds = int(parts[1]) * _SECONDS[parts[2]] if parts else 0
    return float(seconds) if 0 < seconds <= _MOST_SECONDS else None


AGE = _Age()
