"""The identity of a label set, as Prometheus and Alertmanager compute it."""

from collections.abc import Mapping

_OFFSET = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_SEPARATOR = b"\xff"


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the FNV-1a 64 hash of the sorted labels as 16 hex digits.

    Source: `LabelSet.Fingerprint` in prometheus/common, model/fnv.go and signature.go.
    """
    value = _OFFSET
    for name in sorted(labels):
        for byte in b"".join((name.encode(), _SEPARATOR, labels[name].encode(), _SEPARATOR)):
            value = ((value ^ byte) * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
