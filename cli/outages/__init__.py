"""Recorded outages, one file each: what was seen, never why. `cli.replay` reads them."""

NAMES = ("crashloop", "node-cpu", "auth-cascade")
"""The outages, in the order in which `opssage demo` plays them: from one alert to four."""
