"""Measured values in words a person can check."""

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_SUFFIXES = {"cores": " cores", "per_second": "/s"}
_WHOLE_FROM = 1000


def quantity(value: float, unit: str) -> str:
    """Return a value in its unit, three digits at least: `35%`, `250 ms`, `1.5 GiB`, `12/s`.

    Units are those of metric evidence: ratio, seconds, bytes, cores, per_second; any other is
    written as the bare number.
    """
    if unit == "ratio":
        return f"{_number(value * 100)}%"
    if unit == "seconds":
        return f"{_number(value)} s" if abs(value) >= 1 else f"{_number(value * 1000)} ms"
    if unit == "bytes":
        power = 0
        while abs(value) >= _STEP and power < len(_BYTE_UNITS) - 1:
            value, power = value / _STEP, power + 1
        return f"{_number(value)} {_BYTE_UNITS[power]}"
    return f"{_number(value)}{_SUFFIXES.get(unit, '')}"


def _number(value: float) -> str:
    """Return three significant digits, and all before the point rather than an exponent."""
    return f"{value:.3g}" if abs(value) < _WHOLE_FROM else f"{value:.0f}"
