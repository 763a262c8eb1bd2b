"""`python -m faults.entry.skewed FILE MODULE ...`: runs a module whose clock is wrong.

FILE holds the seconds that the clock is ahead, and may be rewritten at any time. Replaced is what
Python code asks for the time of day: `time.time`, `time.time_ns`, `datetime.now`, `datetime.utcnow`
and `datetime.today`. What counts a duration (`time.monotonic`) is right, as it is when a machine's
clock is set. Libraries in C that ask the kernel themselves see the true time.
"""

import datetime as dt
import os
import runpy
import sys
import time
from typing import Any

_true_time, _true_time_ns, _TrueDatetime = time.time, time.time_ns, dt.datetime


def install(file: str) -> None:
    """Replace the clocks of this process; its children by fork inherit them."""

    def ahead() -> float:
        handle = os.open(file, os.O_RDONLY)
        try:
            return float(os.read(handle, 32))
        finally:
            os.close(handle)

    def wrong_time() -> float:
        return _true_time() + ahead()

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, _TrueDatetime)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, _TrueDatetime)

    class Skewed(_TrueDatetime, metaclass=Kind):
        """Makes true datetimes, at a wrong time."""

        def __new__(cls, *told: Any, **named: Any) -> Any:
            return _TrueDatetime(*told, **named)

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return _TrueDatetime.fromtimestamp(wrong_time(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(dt.UTC).replace(tzinfo=None)

    time.time = wrong_time
    time.time_ns = lambda: _true_time_ns() + int(ahead() * 1e9)
    dt.datetime = Skewed  # type: ignore[misc] - that is the point


if __name__ == "__main__":
    file, module, *arguments = sys.argv[1:]
    install(file)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
