"""The memory: rows, one verb = one transaction, migrations. Rows never leave this package.

May import `opssage` only; nobody else imports SQLAlchemy.
"""

from store.assurance import Assurances
from store.claims import Claim
from store.dispatching import Backlog, Due
from store.effects import Effect
from store.endings import UNCOUNTED_SECONDS
from store.engine import normalise
from store.ingest import Receipt, Touched
from store.queries import IncidentFilter, Position
from store.rejects import KeptReject, RejectFilter
from store.rules import Rules
from store.store import Store, connect

__all__ = [
    "UNCOUNTED_SECONDS",
    "Assurances",
    "Backlog",
    "Claim",
    "Due",
    "Effect",
    "IncidentFilter",
    "KeptReject",
    "Position",
    "Receipt",
    "RejectFilter",
    "Rules",
    "Store",
    "Touched",
    "connect",
    "normalise",
]
