"""Bodies that are ours: an unknown field is refused, with the one that may be meant."""

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar

import marshmallow as ma


class SuggestingSchema(ma.Schema):
    """A body whose unknown fields are answered with a suggestion."""

    other_words: ClassVar[Mapping[str, str]] = {}
    """What else people call our fields."""
    beside: ClassVar[str] = ""
    """What to do with a field that is none of ours."""

    class Meta:
        """Refuse what we do not know."""

        unknown = ma.RAISE

    def handle_error(self, error: ma.ValidationError, data: Any, **_: Any) -> None:  # noqa: ARG002 - marshmallow's signature
        """Say of each unknown field which one may be meant."""
        told = error.messages if isinstance(error.messages, dict) else {}
        for name, faults in told.items():
            if faults == [self.error_messages["unknown"]]:
                told[name] = [self._suggestion(str(name))]

    def _suggestion(self, name: str) -> str:
        word = name.lower()
        near = difflib.get_close_matches(word, [*self.fields, *self.other_words], n=1)
        if near:
            return f"Unknown; did you mean {self.other_words.get(near[0], near[0])}?"
        return f"Unknown; there are {', '.join(sorted(self.fields))}{self.beside}."
