"""What a check of `opssage doctor` answers, and what a person reads of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from opssage.settings import Settings


class Level(StrEnum):
    """How a check went."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a check found, and the way to mend it."""

    check: str
    level: Level
    message: str
    fix: str = ""


Answer = tuple[Level, str] | tuple[Level, str, str]
"""How it went, what was found, and the way to mend it where the check's usual one does not fit."""

Check = Callable[[Settings], Answer | Iterable[Answer] | None]
"""Returns one answer, or several; none when there is nothing to look at."""

Row = tuple[str, Check, str]
"""A check: its name, what it does, and the usual way to mend what it finds."""
