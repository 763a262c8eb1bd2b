"""The memory: rows, one verb = one transaction, migrations. Rows never leave this package.

May import `opssage` only; nobody else imports SQLAlchemy.
"""

from store.claims import Claim, Due
from store.engine import normalise
from store.ingest import Receipt, Touched
from store.queries import IncidentFilter, Position
from store.store import Store, connect

__all__ = [
    "Claim",
    "Due",
    "IncidentFilter",
    "Position",
    "Receipt",
    "Store",
    "Touched",
    "connect",
    "normalise",
]
