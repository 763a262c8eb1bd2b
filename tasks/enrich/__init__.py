"""Enrich: what the team already knows, added to what was collected. Imports `opssage` alone."""

from tasks.enrich.runbooks import Runbook, load_runbooks
from tasks.enrich.stage import enrich

__all__ = ["Runbook", "enrich", "load_runbooks"]
