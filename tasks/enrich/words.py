"""Text to comparable words."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_FILLING = """
a an and are as at be been but by for from had has have if in into is it its more no not of on or
over so than that the their then there these they this to until up was were when which while will
with
"""
_TRUE_OF_EVERY_INCIDENT = "alert alerts alerting fire fires firing"
_STOP = frozenset((*_FILLING.split(), *_TRUE_OF_EVERY_INCIDENT.split()))
_LONGEST_NUMBER = 3  # 503 and 137 say something; longer numbers are ids, ports and times


def words(text: str) -> tuple[str, ...]:
    """Return the words of `text` in order: lower case, without endings and stop words.

    Camel case, snake and kebab names fall apart: `KubePodCrashLooping` is kube, pod, crash, loop.
    """
    return tuple(stem for stem, _ in _kept(text))


def spellings(text: str) -> dict[str, str]:
    """Return each distinct word of `text` with its ending, by the form that `words` gives."""
    spelled: dict[str, str] = {}
    for stem, spelling in _kept(text):
        spelled.setdefault(stem, spelling)
    return spelled


def _kept(text: str) -> Iterator[tuple[str, str]]:
    for match in _WORD.finditer(text):
        word = match.group().lower()
        said = len(word) > 1 and word not in _STOP
        if said and not (word.isdigit() and len(word) > _LONGEST_NUMBER):
            yield _stem(word), word


_PLURALS = (("ies", "y"), ("sses", "ss"), ("s", ""))
_VERBAL = ("ing", "ed", "ion")
_SHORTEST_STEM = 3


def _stem(word: str) -> str:
    """Take plural and verb endings off: `throttled` meets `throttling`, `connection` `connect`."""
    if not word.endswith(("ss", "us", "is")):
        for ending, instead in _PLURALS:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
                word = word.removesuffix(ending) + instead
                break
    for ending in _VERBAL:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word.removesuffix(ending)
            if word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word
