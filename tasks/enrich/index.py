"""BM25 over passages and over whole documents, in arrays of postings.

    score = mean of BM25 of the passage and of its document,
            each / idf of a word that is found in one of them only

so a score counts the words found, a common word for less than one; it means the same in libraries
of any size. A passage is short and may lack words that its neighbours have, hence the document.
BM25 is Robertson's with the idf of Lucene, which is never negative.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from tasks.enrich.concepts import concepts_in
from tasks.enrich.runbooks import Chunk, Runbook
from tasks.enrich.words import words

Floats = NDArray[np.float64]

_SATURATION = 1.5  # k1: how soon a word said again adds nothing
_LENGTH = 0.75  # b: how much a long text has to say a word more often


def terms(text: str) -> list[str]:
    """Return what a text is found by: its words, and the concepts they speak of."""
    stems = words(text)
    return [*stems, *concepts_in(stems)]


class Index:
    """Every passage of some runbooks, ready to be scored."""

    def __init__(self, runbooks: Sequence[Runbook]) -> None:
        """Read the runbooks."""
        self.runbooks = runbooks
        self.entries = [(runbook, chunk) for runbook in runbooks for chunk in runbook.chunks]
        ids = sorted(range(len(self.entries)), key=lambda at: self.entries[at][1].source_id)
        self.order = np.argsort(np.array(ids, dtype=np.int64))  # place of each by source_id
        self._ids: dict[str, int] = {}
        passages = [len(runbook.chunks) for runbook in runbooks]
        self.owner = np.repeat(np.arange(len(runbooks)), passages)  # place of each one's runbook
        chunks, books = self._count()
        self._chunks = _Postings.of(chunks, len(self._ids))
        self._books = _Postings.of(books, len(self._ids))

    def _count(self) -> "tuple[_Counts, _Counts]":
        """Return how often each passage says each term, and each runbook."""
        chunks, books = _Counts(), _Counts()
        number = self._ids.setdefault
        for runbook in self.runbooks:
            whole: Counter[int] = Counter()
            for chunk in runbook.chunks:
                found = terms(_text_of(runbook, chunk))
                counts = Counter(number(term, len(self._ids)) for term in found)
                chunks.add(counts)
                whole += counts
            books.add(whole)
        return chunks, books

    def scores(self, asked: Mapping[str, float]) -> Floats:
        """Return the score of each passage for weighted terms."""
        # in order of the terms: sums of floats depend on it
        known = [(self._ids[term], asked[term]) for term in sorted(asked) if term in self._ids]
        if not known:
            return np.zeros(len(self.entries))
        mean: Floats = (self._chunks.scores(known) + self._books.scores(known)[self.owner]) / 2
        return mean


@dataclass(slots=True)
class _Counts:
    """How often texts say terms: an entry for each term of each text, in order of the texts."""

    terms: "array[int]" = field(default_factory=partial(array, "i"))
    texts: "array[int]" = field(default_factory=partial(array, "i"))
    counts: "array[int]" = field(default_factory=partial(array, "i"))
    lengths: "array[int]" = field(default_factory=partial(array, "i"))  #: terms of each text

    def add(self, said: Mapping[int, int]) -> None:
        """Add the next text."""
        self.terms.extend(said.keys())
        self.counts.extend(said.values())
        self.texts.extend(repeat(len(self.lengths), len(said)))
        self.lengths.append(sum(said.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Postings:
    """For each term the texts that have it, and what it adds to their scores."""

    starts: NDArray[np.int64]  #: where a term's texts begin, and those of the next
    texts: NDArray[np.int32]
    weights: NDArray[np.float32]
    number: int  #: of texts

    @classmethod
    def of(cls, said: _Counts, size: int) -> "_Postings":
        """Weigh what texts say; there are `size` terms.

        In single precision, and with few arrays at a time: a process keeps what it took once.
        """
        number = len(said.lengths)
        terms_said = np.array(said.terms, dtype=np.int32)
        order = np.argsort(terms_said, kind="stable")
        texts = np.array(said.texts, dtype=np.int32)[order]
        weights = np.array(said.counts, dtype=np.float32)[order]
        frequency = np.bincount(terms_said, minlength=size)
        lengths = np.array(said.lengths, dtype=np.float32)
        relative = lengths / max(lengths.mean(), 1) if number else lengths
        weights /= weights + (_SATURATION * (1 - _LENGTH + _LENGTH * relative))[texts]
        idf = np.log1p((number - frequency + 0.5) / (frequency + 0.5))
        idf /= math.log1p((number - 0.5) / 1.5)  # of a term that one text has
        weights *= np.repeat(idf.astype(np.float32), frequency)
        starts = np.concatenate(([0], np.cumsum(frequency)))
        return cls(starts=starts, texts=texts, weights=weights, number=number)

    def scores(self, asked: Iterable[tuple[int, float]]) -> Floats:
        total = np.zeros(self.number)
        for term, weight in asked:
            found = slice(self.starts[term], self.starts[term + 1])
            total[self.texts[found]] += self.weights[found] * weight
        return total


def _text_of(runbook: Runbook, chunk: Chunk) -> str:
    # Front matter speaks once: repeated in each section, its telling words would not be rare.
    about: Iterable[str] = ()
    if chunk is runbook.chunks[0]:
        about = chain(runbook.tags, runbook.alertnames, runbook.causes)
    return " . ".join((runbook.title, *about, chunk.heading, chunk.text))
