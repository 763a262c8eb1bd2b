"""The identity of a label set, as Prometheus and Alertmanager compute it."""

from collections.abc import Mapping
from functools import lru_cache

_OFFSET = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_SEPARATOR = b"\xff"
_REMEMBERED = 8192  # Prometheus posts the same alerts every minute


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the FNV-1a 64 hash of the sorted labels as 16 hex digits.

    Source: `LabelSet.Fingerprint` in prometheus/common, model/fnv.go and signature.go.
    """
    return _of(tuple(sorted(labels.items())))


@lru_cache(maxsize=_REMEMBERED)
def _of(labels: tuple[tuple[str, str], ...]) -> str:
    value = _OFFSET
    for byte in b"".join(word.encode() + _SEPARATOR for pair in labels for word in pair):
        value = ((value ^ byte) * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
