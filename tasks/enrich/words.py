"""Text to comparable words."""

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_FILLING = """
a an and are as at be been but by for from had has have if in into is it its more no not of on or
other others over so than that the their then there these they this to until up was were when which
while will with
"""
_TRUE_OF_EVERY_INCIDENT = "alert alerts alerting fire fires firing"
_STOP = frozenset((*_FILLING.split(), *_TRUE_OF_EVERY_INCIDENT.split()))
_LONGEST_NUMBER = 3  # 503 and 137 say something; longer numbers are ids, ports and times


def words(text: str) -> tuple[str, ...]:
    """Return the words of `text` in order: lower case, without endings and stop words.

    Camel case, snake and kebab names fall apart: `KubePodCrashLooping` is kube, pod, crash, loop.
    """
    return tuple(filter(None, map(_form, _WORD.findall(text))))


def spellings(text: str) -> dict[str, str]:
    """Return each distinct word of `text` with its ending, by the form that `words` gives."""
    spelled: dict[str, str] = {}
    for written in _WORD.findall(text):
        if stem := _form(written):
            spelled.setdefault(stem, written.lower())
    return spelled


@lru_cache(maxsize=8192)
def _form(written: str) -> str:
    """Return the form a word is compared in; empty when it says nothing."""
    word = written.lower()
    if len(word) == 1 or word in _STOP or (word.isdigit() and len(word) > _LONGEST_NUMBER):
        return ""
    return _stem(word)


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
