"""Where a page ends, as a word in a URL. Every word of a cursor's form is a position.

So the description says exactly what is taken, and no client has to know what is in it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import marshmallow as ma

from store import Sort

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAULT = "Not a cursor of this list; take next_cursor of the page before."


class Part(NamedTuple):
    """A part of a position: how it is written, and back."""

    pattern: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _microseconds(moment: datetime) -> str:
    return f"{(moment - _EPOCH) // timedelta(microseconds=1):016}"


def _moment(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(text))


def _text(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal).decode("utf-8", "replace").replace("\0", "\ufffd")


MOMENT = Part("[0-9]{16}", _microseconds, _moment)
ID = Part("[0-9a-f]{32}", lambda value: value.hex, UUID)
NUMBER = Part("[0-9]{1,18}", str, int)
FEW = Part("[0-9]{1,4}", str, int)
FINGERPRINT = Part("[0-9a-f]{16}", str, str)
TEXT = Part("(?:[0-9a-f]{2}){0,512}", lambda text: text.encode().hex(), _text)
SORT = Part(f"(?:{'|'.join(Sort)})", str, Sort)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The form of a list's cursors: the parts of a position, in order."""

    parts: Sequence[Part]

    @property
    def pattern(self) -> str:
        """What all its cursors look like, to JSON Schema."""
        return rf"^{'[.]'.join(part.pattern for part in self.parts)}$"

    def write(self, *position: Any) -> str:
        """Return the cursor of a position."""
        written = zip(self.parts, position, strict=True)
        return ".".join(part.write(value) for part, value in written)

    def read(self, cursor: str) -> tuple[Any, ...]:
        """Return the position of a cursor. Raises ValueError for any other text."""
        if not re.fullmatch(self.pattern[1:-1], cursor):
            raise ValueError(_FAULT)
        texts = zip(self.parts, cursor.split("."), strict=True)
        return tuple(part.read(text) for part, text in texts)

    def field(self) -> "CursorField":
        """Return the parameter of a query that takes it."""
        return CursorField(self)


class CursorField(ma.fields.String):
    """A cursor in a query; read as its position, a tuple."""

    def __init__(self, form: Cursor) -> None:
        super().__init__(load_default=None)
        self._form = form
        self.described: Mapping[str, str] = {"pattern": form.pattern}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        try:
            return self._form.read(value)
        except ValueError as error:
            raise ma.ValidationError(_FAULT) from error
