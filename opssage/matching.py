"""Labels that match patterns, as in a route of Alertmanager.

A pattern is of RE2's syntax (https://github.com/google/re2/wiki/Syntax), as Alertmanager's are, and
the time it takes grows with the length of a value only, whatever the pattern: values come from
senders.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import re2

_QUIET = re2.Options()
_QUIET.log_errors = False  # what is wrong is raised, and not written to stderr as well


def has_labels(patterns: Iterable[tuple[str, str]], labels: Mapping[str, str]) -> bool:
    """Tell whether labels match all patterns: pairs of a name and a regular expression.

    The expression has to cover the whole value; a label that is not there counts as empty.
    Raises ValueError for what `check_pattern` refuses.
    """
    return all(_compiled(text).fullmatch(labels.get(name, "")) for name, text in patterns)


def check_pattern(text: str) -> None:
    """Raise ValueError, which says what is wrong, for what is no pattern."""
    _compiled(text)


@lru_cache(maxsize=1024)  # those of a configuration are few, silences come and go
def _compiled(text: str) -> Any:
    try:
        return re2.compile(text, _QUIET)
    except re2.error as error:
        raise ValueError(error.args[0].decode(errors="replace")) from error
