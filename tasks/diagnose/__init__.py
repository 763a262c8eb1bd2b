"""Diagnose: turn evidence into a cited answer.

May import `opssage` only. Signals are rows of the tables in `signals`, causes rows of `catalogue`.
"""

from tasks.diagnose.citations import CitationError, check_citations
from tasks.diagnose.impression import first_impression
from tasks.diagnose.report import ENGINE, ENGINE_VERSION
from tasks.diagnose.stage import diagnose

__all__ = [
    "ENGINE",
    "ENGINE_VERSION",
    "CitationError",
    "check_citations",
    "diagnose",
    "first_impression",
]
