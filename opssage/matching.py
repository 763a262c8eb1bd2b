"""Labels that match patterns, as in a route of Alertmanager."""

import re
from collections.abc import Iterable, Mapping


def has_labels(patterns: Iterable[tuple[str, str]], labels: Mapping[str, str]) -> bool:
    """Tell whether labels match all patterns: pairs of a name and a regular expression.

    The expression has to cover the whole value; a label that is not there counts as empty.
    """
    return all(re.fullmatch(pattern, labels.get(name, "")) for name, pattern in patterns)
