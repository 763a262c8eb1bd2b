"""How well incidents find the shipped runbooks that answer them, and what their relevance is worth.

Recall@1 and @5 and the mean reciprocal rank over the incidents of `retrieval_set.yaml`, of all and
of those in other words than the runbook's; with the concepts of operations and without; alone, and
in company: among ten things that are true of an outage and tell nothing. `--fit` fits BASE, SLOPE
and BULK of `tasks/enrich/retrieval.py` anew, on both. What is told of calibration holds for
incidents that were left out of the fit. `--dense` ranks by vectors too (`retrieval_dense.py`).
"""

import argparse
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

import measured
import numpy as np
import yaml

from tasks.enrich import concepts, load_runbooks, retrieval
from tasks.enrich.index import Index
from tasks.enrich.runbooks import Runbook
from tasks.enrich.symptoms import Symptoms
from tasks.enrich.words import words

HERE = Path(__file__).parent
RECALL_BAR = 0.9
"""Of the incidents find their runbook among the first five."""


COMPANY = (
    *("error_ratio", "latency_p99", "request_rate", "edge_error_ratio", "cpu_usage"),
    *("memory_usage", "replicas_unavailable", "Unhealthy"),
    "More than a fifth of the requests of {service} end in a 5xx",
    "{service} answers slowly",
    "{alert} of {service} has been firing for five minutes",
    "Calls from web to {service} fail",
    "coupon unknown",
    "feature store cache miss",
    "stock level below reorder point",
    "model is older than seven days",
    "card issuer answered slowly",
    "session of user <*> ended unexpectedly",
    "retrying in <*> ms",
    "slow response",
    "request <*> took <*> ms",
    "upstream failed",
    "token expired, asking for another",
    "query exceeded its time budget",
    "cart of <*> abandoned",
    "mail to <*> bounced",
    "unknown field in the event is ignored",
)
"""What else is seen in an outage: metrics that moved, an alert's prose, lines that complain."""
IN_COMPANY = 10
COMPANIES = 3
"""Different ones for each incident."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """An incident, and the runbooks any of which answers it."""

    alert: str
    service: str
    says: Sequence[str]
    expected: Sequence[str]
    paraphrase: bool = False
    held_out: bool = False  #: written after the concepts were, which were not changed for it

    @property
    def symptoms(self) -> Symptoms:
        """As enrich reads them off an incident."""
        return Symptoms(
            alert_names=(self.alert,),
            services=(self.service,),
            namespace=None,
            sentences=tuple(self.says),
        )

    def in_company(self, number: int) -> "Query":
        """Return the incident among other things that are going on; `number` chooses them."""
        chosen = random.Random(f"{self.alert} {self.says} {number}").sample(COMPANY, IN_COMPANY)
        others = (each.format(service=self.service, alert=self.alert) for each in chosen)
        return replace(self, says=(*self.says, *others))


Rank = Callable[[Query], Sequence[str]]
"""Returns the names of runbooks, best first."""


def queries() -> list[Query]:
    """Return the incidents of the set."""
    rows = yaml.safe_load((HERE / "retrieval_set.yaml").read_text())
    return [Query(**row) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="fit relevance to the set")
    parser.add_argument("--dense", action="store_true", help="rank by vectors too")
    parser.add_argument("--verbose", action="store_true", help="tell of every miss")
    chosen = parser.parse_args()
    load_before = measured.load_average()
    asked, books = queries(), load_runbooks(HERE.parent / "runbooks")
    index = Index(books)
    answered = [query for query in asked if query.expected]
    ours = by_index(index)
    cases = {
        "words and concepts": {
            **figures(ours, answered),
            "passed": recall(ours, answered, 5) >= RECALL_BAR,
        },
        "in company": figures(ours, [other for each in answered for other in companies(each)]),
        "words alone": without_concepts(books, answered),
        "words in common": {name: overlap(group, books) for name, group in groups(answered)},
        "nothing fits": {"shown": shown_of(index, [each for each in asked if not each.expected])},
        "calibration": calibration(index, asked),
    }
    if chosen.dense:
        import retrieval_dense  # noqa: PLC0415 - needs a package that is no dependency

        cases |= {
            name: figures(*way) for name, way in retrieval_dense.ways(books, ours, answered).items()
        }
    if chosen.verbose:
        tell_misses(ours, answered)
    if chosen.fit:
        base, slope, bulk = fitted(pairs(index, asked))
        measured.tell(f"BASE = {base:.2f}, SLOPE = {slope:.2f}, BULK = {-bulk:.2f}")
    measured.finish("retrieval", cases, load_before, runbooks=len(books), queries=len(asked))


def companies(query: Query) -> Iterator[Query]:
    """Yield the incident in different companies."""
    for number in range(COMPANIES):
        yield query.in_company(number)


def by_index(index: Index) -> Rank:
    """Return the ranking of enrich: a runbook is as good as its best passage."""

    def rank(query: Query) -> Sequence[str]:
        passages = retrieval.rank(index, query.symptoms)
        return list(dict.fromkeys(passage.runbook.name for passage in passages))

    return rank


def without_concepts(books: Sequence[Runbook], answered: Sequence[Query]) -> Mapping[str, object]:
    """Return the figures when only the words themselves are compared."""
    with patch.dict(concepts._PHRASES, clear=True):  # noqa: SLF001 - to see what they are worth
        return figures(by_index(Index(books)), answered)


def groups(answered: Sequence[Query]) -> Iterator[tuple[str, Sequence[Query]]]:
    """Yield the parts of the set that figures are told of."""
    yield "all", answered
    yield "paraphrases", [query for query in answered if query.paraphrase]
    if held_out := [query for query in answered if query.held_out]:
        yield "held out", held_out
        yield "held out paraphrases", [query for query in held_out if query.paraphrase]


def figures(rank: Rank, answered: Sequence[Query]) -> dict[str, object]:
    """Return recall@1 and @5 and the mean reciprocal rank of each part of the set."""
    return {
        name: {
            "queries": len(group),
            "recall@1": round(recall(rank, group, 1), 3),
            "recall@5": round(recall(rank, group, 5), 3),
            "mrr": round(fmean(1 / place(rank, query) for query in group), 3),
        }
        for name, group in groups(answered)
    }


def recall(rank: Rank, group: Sequence[Query], most: int) -> float:
    """Return the share of incidents with an expected runbook among the first so many."""
    return fmean(place(rank, query) <= most for query in group)


def place(rank: Rank, query: Query) -> float:
    """Return the place of the first expected runbook, from 1; infinite when it is not found."""
    found = rank(query)
    return min(
        (found.index(name) + 1 for name in query.expected if name in found), default=math.inf
    )


def overlap(group: Sequence[Query], books: Sequence[Runbook]) -> float:
    """Return which share of an incident's words its runbook has, on average."""
    said = {
        book.name: set(words(" ".join((book.title, *book.tags, *(c.text for c in book.chunks)))))
        for book in books
    }

    def shared(query: Query) -> float:
        asked = set(words(" . ".join(query.says)))
        return max(len(asked & said.get(name, set())) / len(asked) for name in query.expected)

    return round(fmean(map(shared, group)), 3)


def shown_of(index: Index, unanswered: Sequence[Query]) -> int:
    """Return for how many incidents without a runbook one is shown all the same."""
    return sum(bool(retrieval.retrieve(index, query.symptoms, limit=5)) for query in unanswered)


def tell_misses(rank: Rank, answered: Sequence[Query]) -> None:
    for query in answered:
        if place(rank, query) > 1:
            measured.tell(f"{list(query.expected)} not {list(rank(query)[:3])}: {query.says}")


Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Each incident with each runbook, by its best passage; what front matter adds is left out."""

    score: Numbers
    asked: Numbers  #: weight of the terms that were looked for
    answers: Numbers  #: 1 when the runbook is one of those expected
    incident: Numbers  #: number of the incident

    @property
    def design(self) -> Numbers:
        """What the log-odds are linear in."""
        ones = np.ones_like(self.score)
        asked = np.maximum(self.asked, retrieval.LEAST_ASKED)
        return np.stack((ones, np.log1p(self.score), np.log1p(asked)), axis=1)


def pairs(index: Index, asked: Sequence[Query]) -> Pairs:
    """Return all pairs, of each incident alone and in company."""
    rows = []
    for number, query in enumerate(asked):
        for each in (query, *companies(query)):
            scores, weight = retrieval.scored(index, retrieval.asked_by(each.symptoms))
            for book, runbook in enumerate(index.runbooks):
                best = scores[index.owner == book].max()
                rows.append((best, weight, runbook.name in query.expected, number))
    score, weight, answers, incident = np.array(rows, dtype=np.float64).T
    return Pairs(score=score, asked=weight, answers=answers, incident=incident)


def fitted(data: Pairs, but: float | None = None) -> tuple[float, ...]:
    """Return the logistic regression on all incidents but one, by Newton's method."""
    chosen = data.incident != but
    design, y = data.design[chosen], data.answers[chosen]
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(len(weights))
        weights += np.linalg.solve(hessian, design.T @ (y - p))
    return tuple(map(float, weights))


def calibration(index: Index, asked: Sequence[Query]) -> dict[str, object]:
    """Return how far relevance is from the truth: as shipped, and fitted without the incident."""
    data = pairs(index, asked)
    shipped = np.array(
        [retrieval.relevance(*each) for each in zip(data.score, data.asked, strict=True)]
    )
    left_out = np.empty_like(data.score)
    for number in np.unique(data.incident):
        here = data.incident == number
        left_out[here] = 1 / (1 + np.exp(-data.design[here] @ np.array(fitted(data, number))))
    always = np.full_like(data.answers, data.answers.mean())
    return {
        name: {
            "brier": brier(p, data.answers),
            "calibration_error": calibration_error(p, data.answers),
        }
        for name, p in (("shipped", shipped), ("left out", left_out), ("base rate", always))
    }


def brier(p: Numbers, y: Numbers) -> float:
    """Return the mean squared difference; 0 is best."""
    return round(float(np.mean((p - y) ** 2)), 4)


def calibration_error(p: Numbers, y: Numbers) -> float:
    """Return the mean distance of ten bins of relevance from the share that answers."""
    bins = np.minimum((p * 10).astype(int), 9)
    parts = [(bins == each) for each in np.unique(bins)]
    return round(
        float(sum(part.mean() * abs(p[part].mean() - y[part].mean()) for part in parts)), 4
    )


if __name__ == "__main__":
    main()
