"""Enrich: what the team already knows, added to what was collected. Imports `opssage` alone."""

from tasks.enrich.correlation import NEAR_SECONDS, Correlation, correlate
from tasks.enrich.footprint import footprint
from tasks.enrich.library import Library, Shelf
from tasks.enrich.owners import owners_around
from tasks.enrich.runbooks import Passage, Runbook, load_runbooks
from tasks.enrich.stage import enrich

__all__ = [
    "NEAR_SECONDS",
    "Correlation",
    "Library",
    "Passage",
    "Runbook",
    "Shelf",
    "correlate",
    "enrich",
    "footprint",
    "load_runbooks",
    "owners_around",
]
