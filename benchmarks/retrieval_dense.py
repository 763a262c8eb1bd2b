"""Ranking by vectors, to be weighed against words: alone, and joined with words by rank.

`svd` learns its vectors from the runbooks themselves (latent semantic analysis). `wordllama` has
learnt them from texts of all kinds, and is the one such model of small size that a Python package
carries with it; it is no dependency: `pip install wordllama`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import wordllama
from numpy.typing import NDArray
from retrieval import Query, Rank

from tasks.enrich.index import terms
from tasks.enrich.runbooks import Runbook

DIMENSIONS = 30  # of svd: more did not do better
RANK_OFFSET = 60
"""k of reciprocal rank fusion, as Cormack, Clarke and Büttcher have it (SIGIR 2009)."""

Vectors = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]
"""Returns a vector of length 1 for each text."""


def ways(
    books: Sequence[Runbook], words: Rank, answered: Sequence[Query]
) -> Mapping[str, tuple[Rank, Sequence[Query]]]:
    """Return the rankings to compare, each with the incidents it is tried on."""
    company = [query.in_company(number) for query in answered for number in range(3)]
    found: dict[str, tuple[Rank, Sequence[Query]]] = {}
    for name, embed in (("svd", svd(books)), ("wordllama", pretrained())):
        vectors = by_vectors(books, embed)
        found[name] = vectors, answered
        found[f"words and {name}"] = fused(words, vectors), answered
        found[f"words and {name}, in company"] = fused(words, vectors), company
    return found


def texts_of(books: Sequence[Runbook]) -> list[tuple[str, str]]:
    """Return each passage as text, with the name of its runbook."""
    return [
        (book.name, " . ".join((book.title, *book.tags, chunk.heading, chunk.text)))
        for book in books
        for chunk in book.chunks
    ]


def by_vectors(books: Sequence[Runbook], embed: Embed) -> Rank:
    """Return the ranking by the cosine of the best passage."""
    names, texts = zip(*texts_of(books), strict=True)
    passages = embed(texts)

    def rank(query: Query) -> Sequence[str]:
        (asked,) = embed([" . ".join((query.alert, *query.says))])
        nearest = np.argsort(-(passages @ asked), kind="stable")
        return list(dict.fromkeys(names[at] for at in nearest))

    return rank


def fused(*ranks: Rank) -> Rank:
    """Return the ranking by the sum of reciprocal ranks."""

    def rank(query: Query) -> Sequence[str]:
        score: dict[str, float] = {}
        for each in ranks:
            for place, name in enumerate(each(query), start=1):
                score[name] = score.get(name, 0.0) + 1 / (RANK_OFFSET + place)
        return sorted(score, key=lambda name: (-score[name], name))

    return rank


def svd(books: Sequence[Runbook]) -> Embed:
    """Return vectors in the main directions of the runbooks' own words and concepts."""
    said = [terms(text) for _, text in texts_of(books)]
    places = {term: at for at, term in enumerate(sorted({term for each in said for term in each}))}

    def counts(found: Sequence[Sequence[str]]) -> Vectors:
        table = np.zeros((len(found), len(places)))
        for row, each in enumerate(found):
            for term in each:
                if term in places:
                    table[row, places[term]] += 1
        return np.log1p(table)

    table = counts(said)
    rarity = np.log(len(said) / (table > 0).sum(axis=0))
    *_, directions = np.linalg.svd(table * rarity, full_matrices=False)

    def embed(texts: Sequence[str]) -> Vectors:
        found = counts([terms(text) for text in texts]) * rarity @ directions[:DIMENSIONS].T
        return found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-12)

    return embed


def pretrained() -> Embed:
    """Return the vectors of the model in the package."""
    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    return lambda texts: model.embed(list(texts), norm=True)
