"""The words that incidents are searched by: what counts as one, and where they are kept.

Any change here needs a migration that writes the words of all incidents anew.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import islice
from typing import Any
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import Connection, Update, bindparam, delete, insert, update

from opssage.incident import Alert
from store.tables import incident_words

MOST_WORDS = 128
"""Words kept of an alert, and of an answer: the most telling come first."""

WORD_CHARS = 64
"""Where a word is cut off."""

_TEXT_CHARS = 1024  # read of one text
_WORD = re.compile(r"[^\W_]+")
_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_in(text: str) -> tuple[str, ...]:
    """Return the words that a text asks for, each once: HighErrorRate asks for three."""
    parts = (part for word in _written(text) for part in _SEAM.split(word))
    return tuple(dict.fromkeys(folded for part in parts for folded in _folded(part)))


def words_of(texts: Iterable[str | None]) -> str:
    """Return the words of texts, each once and with a space before it.

    HighErrorRate is kept whole too, for who types it in lower case.
    """
    found: dict[str, None] = {}
    for word in _written(" ".join(text[:_TEXT_CHARS] for text in texts if text)):
        if word.isascii() and (word.islower() or word.isdigit()):  # most are
            found[word[:WORD_CHARS]] = None
        else:
            for part in (word, *_SEAM.split(word)):
                found.update(dict.fromkeys(_folded(part)))
        if len(found) >= MOST_WORDS:
            break
    return "".join(f" {word}" for word in islice(found, MOST_WORDS))


def _written(text: str) -> list[str]:
    return _WORD.findall(normalize("NFKC", text))


def _folded(word: str) -> list[str]:
    # folding a letter may leave a mark, which belongs to no word
    return [part[:WORD_CHARS] for part in _WORD.findall(word.casefold())]


def words_of_alert(lead: Alert) -> str:
    """Return the words of the alert that an incident is shown by."""
    shown = (lead.name, lead.severity, lead.namespace, lead.service)
    return words_of((*shown, *lead.labels.values(), lead.message))


def words_of_answer(report: Mapping[str, Any]) -> str:
    """Return the words of a diagnosis."""
    return words_of((report.get("root_cause"), report.get("category")))


def keep(connection: Connection, incident_id: UUID, lead: Alert) -> None:
    """Write down the words of a new incident."""
    told = {"incident_id": incident_id, "alert_words": words_of_alert(lead)}
    connection.execute(_KEEP, told)


def change_alert(connection: Connection, incident_id: UUID, lead: Alert) -> None:
    """Replace the words of the alert that an incident is shown by."""
    told = {"wanted": incident_id, "words": words_of_alert(lead)}
    connection.execute(_change("alert_words"), told)


def change_answer(connection: Connection, incident_id: UUID, report: Mapping[str, Any]) -> None:
    """Replace the words of an incident's diagnosis."""
    told = {"wanted": incident_id, "words": words_of_answer(report)}
    connection.execute(_change("answer_words"), told)


def forget(connection: Connection, incident_ids: Collection[UUID]) -> None:
    """Delete the words of incidents that are deleted."""
    connection.execute(_FORGET, {"ids": list(incident_ids)})


_KEEP = insert(incident_words)


@cache
def _change(column: str) -> Update:
    return (
        update(incident_words)
        .where(incident_words.c.incident_id == bindparam("wanted"))
        .values({column: bindparam("words")})
    )


_FORGET = delete(incident_words).where(
    incident_words.c.incident_id.in_(bindparam("ids", expanding=True))
)
