"""The passages that fit an incident: what they say, and whom their front matter names.

    log-odds  = BASE + SLOPE x log(1 + score) - BULK x log(1 + asked) + what the front matter adds
    relevance = 1 / (1 + exp(-log-odds))

`score` is what the text has of the incident's terms, `asked` how many terms there were: the more is
asked, the more is found by accident. Terms of one sentence that are found together count more than
terms of several:

    score     = (sum over the sentences of BM25 ** GATHERED) ** (1 / GATHERED)

So relevance estimates how probable it is that the document answers the incident. BASE, SLOPE and
BULK are fitted by `benchmarks/retrieval.py` on its set of incidents and the shipped runbooks; how
well they hold is in docs/evaluation.md. What front matter adds is set by judgement.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from tasks.enrich.concepts import is_concept
from tasks.enrich.index import Floats, Index, terms
from tasks.enrich.runbooks import Passage
from tasks.enrich.symptoms import Symptoms

BASE = -2.61
SLOPE = 7.42
BULK = 1.95

GATHERED = 1.5
"""With 1 it would not matter which sentences the words are of; without end, only the best would
count."""

LEAST_ASKED = 10
"""Fewer terms are taken for so many: no incident of the set has fewer."""

CONCEPT = 1.5
"""Weight of a concept beside that of a word: it is met on purpose, not by accident."""

ALERT_NAME = math.log(60)
"""The document names the alert: it was written for it."""
CAUSE = math.log(30)
"""It names the cause that the evidence suggests; times the cause's probability."""
SERVICE = math.log(3)
OWNER = math.log(1.5)
"""It names a service or a team: these have many troubles."""

FLOOR = 0.2
"""Passages below fit by accident and are not shown."""

BESIDE_BEST = 0.4
"""Passages less relevant than this share of the best one only distract from it."""

PER_RUNBOOK = 2
"""Passages shown of one document: room is left for a second opinion."""


def retrieve(index: Index, symptoms: Symptoms, *, limit: int) -> tuple[Passage, ...]:
    """Return the passages that fit an incident (see `Shelf.retrieve`)."""
    found = list(rank(index, symptoms, floor=FLOOR))
    floor = found[0].relevance * BESIDE_BEST if found else 0
    return _spread((each for each in found if each.relevance >= floor), limit)


def rank(index: Index, symptoms: Symptoms, *, floor: float = 0.0) -> Iterator[Passage]:
    """Yield the passages that have anything in common with an incident, best first."""
    return _best(index, asked_by(symptoms), _told(index, symptoms), floor)


def search(index: Index, text: str, *, limit: int) -> tuple[Passage, ...]:
    """Return the passages that have words of a text (see `Shelf.search`)."""
    return _spread(_best(index, [text], np.zeros(len(index.entries)), 0), limit)


def asked_by(symptoms: Symptoms) -> Iterator[str]:
    """Yield the sentences and names that an incident is looked up by."""
    yield from symptoms.alert_names
    yield from symptoms.sentences
    yield from symptoms.services
    yield symptoms.namespace or ""
    yield from (signal.partition(".")[2] for signal in symptoms.impression.signals)
    yield from (each.cause for each in symptoms.impression.suspicions)


def scored(index: Index, texts: Iterable[str]) -> tuple[Floats, float]:
    """Return what each passage has of some sentences, and how much these ask for in all."""
    total = np.zeros(len(index.entries))
    asked: dict[str, float] = {}
    for text in dict.fromkeys(texts):
        found = {term: CONCEPT if is_concept(term) else 1.0 for term in terms(text)}
        scores = index.scores(found)
        total += scores * np.sqrt(scores)  # to the power of GATHERED, in a tenth of the time
        asked |= found
    return total ** (1 / GATHERED), sum(asked.values())


def _told(index: Index, symptoms: Symptoms) -> Floats:
    """Return what front matter adds to the log-odds of each passage."""
    suspected = {each.cause: each.probability for each in symptoms.impression.suspicions}
    added = []
    for book in index.runbooks:
        more = max((suspected.get(cause, 0.0) for cause in book.causes), default=0.0) * CAUSE
        if not set(book.alertnames).isdisjoint(symptoms.alert_names):
            more += ALERT_NAME
        if not set(book.services).isdisjoint(symptoms.services):
            more += SERVICE
        if book.owner in symptoms.owners:
            more += OWNER
        added.append(more)
    return np.array(added, dtype=np.float64)[index.owner]


def relevance(score: float, asked: float, added: float = 0.0) -> float:
    """Return how probable it is that a passage answers, to four decimals."""
    bulk = BULK * math.log1p(max(asked, LEAST_ASKED))
    return round(1 / (1 + math.exp(-(BASE + SLOPE * math.log1p(score) - bulk + added))), 4)


def _best(index: Index, texts: Iterable[str], added: Floats, floor: float) -> Iterator[Passage]:
    """Yield the passages with a word or a name in common, best first."""
    scores, asked = scored(index, texts)
    for at in np.lexsort((index.order, -(SLOPE * np.log1p(scores) + added))):
        fits = relevance(scores[at], asked, added[at])
        if fits < floor or not (scores[at] or added[at]):
            return
        runbook, chunk = index.entries[at]
        yield Passage(runbook=runbook, chunk=chunk, relevance=fits)


def _spread(ranked: Iterable[Passage], limit: int) -> tuple[Passage, ...]:
    shown: dict[str, int] = {}
    kept: list[Passage] = []
    for passage in ranked:
        if len(kept) == limit:
            break
        shown[passage.runbook.name] = shown.get(passage.runbook.name, 0) + 1
        if shown[passage.runbook.name] <= PER_RUNBOOK:
            kept.append(passage)
    return tuple(kept)
