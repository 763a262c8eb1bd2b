"""The passages of the runbooks that fit an incident: BM25, raised by exact matches.

Relevance is how well a passage fits on a fixed scale from 0 to 1, comparable between incidents and
between collections of any size. It is not the probability of anything.

    text      = s / (s + HALF), where s = BM25 score / idf of a word found in one passage only
    relevance = 1 - (1 - text) x (1 - ALERT_NAME_MATCH) x (1 - SERVICE_MATCH)

so `s` counts the incident's words found in the passage, a common word for less than one; the last
two factors stand only when the runbook's front matter names the alert or the service. The constants
were chosen so that the shipped runbooks are found by their symptoms and nothing is found for alerts
of other kinds.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from tasks.enrich.runbooks import Chunk, Runbook
from tasks.enrich.symptoms import Symptoms
from tasks.enrich.words import words

if TYPE_CHECKING:
    from bm25s import BM25

HALF = 4.0
"""Rare words in common that make the text's part one half."""

ALERT_NAME_MATCH = 0.6
SERVICE_MATCH = 0.2
"""Less than FLOOR: the service's name alone does not make a passage fit."""

FLOOR = 0.25
"""Passages below fit by accident and are not shown."""

BESIDE_BEST = 0.5
"""Passages less relevant than this share of the best one only distract from it."""

PER_RUNBOOK = 2
"""Passages shown of one runbook: room is left for a second opinion."""

_NAME_WEIGHT = 2  # a word of the alert's name tells more than one of a log line


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A chunk that fits, with its runbook."""

    runbook: Runbook
    chunk: Chunk
    relevance: float  #: FLOOR–1, four decimals


def retrieve(runbooks: Sequence[Runbook], symptoms: Symptoms, *, limit: int) -> tuple[Passage, ...]:
    """Return at most `limit` passages, best first; equally good ones in order of source_id."""
    index = _index(tuple(runbooks))
    scores = index.scores(_query(symptoms))
    found = (
        Passage(runbook=runbook, chunk=chunk, relevance=_relevance(score, runbook, symptoms))
        for (runbook, chunk), score in zip(index.entries, scores, strict=True)
    )
    ranked = sorted(found, key=lambda passage: (-passage.relevance, passage.chunk.source_id))
    floor = max(FLOOR, ranked[0].relevance * BESIDE_BEST) if ranked else FLOOR
    return tuple(_spread([passage for passage in ranked if passage.relevance >= floor])[:limit])


def _query(symptoms: Symptoms) -> list[str]:
    """Return the incident's words in a fixed order, those of the alert names repeated."""
    names = {word for name in symptoms.alert_names for word in words(name)}
    places = {word for name in symptoms.services for word in words(name)}
    places.update(words(symptoms.namespace or ""))
    return sorted([*(symptoms.vocabulary | places), *sorted(names) * (_NAME_WEIGHT - 1)])


def _relevance(score: float, runbook: Runbook, symptoms: Symptoms) -> float:
    misfit = HALF / (score + HALF)
    if not set(runbook.alertnames).isdisjoint(symptoms.alert_names):
        misfit *= 1 - ALERT_NAME_MATCH
    if not set(runbook.services).isdisjoint(symptoms.services):
        misfit *= 1 - SERVICE_MATCH
    return round(1 - misfit, 4)


def _spread(ranked: Sequence[Passage]) -> list[Passage]:
    shown: dict[str, int] = {}
    kept = []
    for passage in ranked:
        shown[passage.runbook.name] = shown.get(passage.runbook.name, 0) + 1
        if shown[passage.runbook.name] <= PER_RUNBOOK:
            kept.append(passage)
    return kept


class _Index:
    """Every chunk of the runbooks, ready to be scored."""

    def __init__(self, runbooks: Sequence[Runbook]) -> None:
        self.entries = [(runbook, chunk) for runbook in runbooks for chunk in runbook.chunks]
        texts = [_words_of(runbook, chunk) for runbook, chunk in self.entries]
        self._ids = {word: number for number, word in enumerate(sorted(set(chain(*texts))))}
        if self._ids:
            self._bm25 = _bm25([[self._ids[word] for word in text] for text in texts], self._ids)
            self._rarest = math.log1p((len(texts) - 0.5) / 1.5)  # Lucene's idf at frequency 1

    def scores(self, query: Sequence[str]) -> list[float]:
        """Return the score of each entry, in rarest words found."""
        known = [self._ids[word] for word in query if word in self._ids]
        if not known:
            return [0.0] * len(self.entries)
        scores = self._bm25.get_scores_from_ids(known)
        return [float(score) / self._rarest for score in scores]


@lru_cache(maxsize=2)
def _index(runbooks: tuple[Runbook, ...]) -> _Index:
    return _Index(runbooks)


def _words_of(runbook: Runbook, chunk: Chunk) -> tuple[str, ...]:
    # Front matter speaks once: repeated in each section, its telling words would not be rare.
    about = (*runbook.tags, *runbook.alertnames) if chunk is runbook.chunks[0] else ()
    return words(" . ".join((runbook.title, *about, chunk.heading, chunk.text)))


def _bm25(texts: list[list[int]], ids: dict[str, int]) -> "BM25":
    # Loaded on first use: numpy costs a process that never enriches 24 MB and a quarter second.
    import bm25s  # noqa: PLC0415 - see above

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
    index = bm25s.BM25(method="lucene", backend="numpy", csc_backend="numpy")
    index.index((texts, ids), create_empty_token=False, show_progress=False)
    return index
