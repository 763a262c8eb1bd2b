"""Collect: ask every configured source what it saw.

May import `opssage` only. A new source is one file with a `Source`, and a line in `registry`; a
new query is one row of `plan`.
"""

from tasks.collect.changes import MOST_CHANGES
from tasks.collect.outages import outage
from tasks.collect.registry import build_sources, source_faults
from tasks.collect.runner import collect
from tasks.collect.source import Answer, Scope, Source, Unconfigured

__all__ = [
    "MOST_CHANGES",
    "Answer",
    "Scope",
    "Source",
    "Unconfigured",
    "build_sources",
    "collect",
    "outage",
    "source_faults",
]
