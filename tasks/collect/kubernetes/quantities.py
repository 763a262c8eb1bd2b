"""Kubernetes' quantities as numbers: `250m` CPU, `64Mi` memory.

The suffixes are those of k8s.io/apimachinery, pkg/api/resource (`Quantity`).
"""

import re
from collections.abc import Mapping
from typing import Any

_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d+)|([a-zA-Z]*))")

_FACTORS: Mapping[str, float] = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1,
    **{letter: 1000.0**power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)},
}


def number(quantity: Any) -> float | None:
    """Return the value of a quantity in its base unit: cores, bytes, pieces. None if it is none."""
    match = _QUANTITY.fullmatch(str(quantity).strip())
    if match is None:
        return None
    digits, exponent, suffix = match.groups()
    if exponent:
        return float(digits + exponent)
    factor = _FACTORS.get(suffix)
    return None if factor is None else float(digits) * factor


def total(quantities: list[Any]) -> float:
    """Return the sum of those that are quantities."""
    return sum(filter(None, map(number, quantities)))
