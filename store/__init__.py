"""The memory: rows, one verb = one transaction, migrations. Rows never leave this package.

May import `opssage` only; nobody else imports SQLAlchemy.
"""

from store.alert_lists import AlertKey, KeptAlert, StrayFilter, StrayPosition
from store.assurance import Assurances
from store.audit import AuditEntry, AuditFilter
from store.changes import ChangeFilter, ChangePosition
from store.claims import Claim
from store.dispatching import Backlog, Due
from store.documents import (
    DocumentChange,
    DocumentFilter,
    DocumentOutcome,
    DocumentPosition,
    NewDocument,
)
from store.effects import Effect
from store.endings import UNCOUNTED_SECONDS
from store.engine import normalise
from store.facets import Count, Facets
from store.feedback import Feedback, Judgement
from store.ingest import Receipt, Touched
from store.listing import IncidentFilter, Position, Sort
from store.recordings import NOT_KEPT
from store.rejects import KeptReject, RejectFilter
from store.rules import Rules
from store.store import Store, connect
from store.timeline import Event, EventPosition
from store.timeline import position as event_position
from store.tokens import KeptToken, NewToken
from store.tokens import split as split_token
from store.words import words_in

__all__ = [
    "NOT_KEPT",
    "UNCOUNTED_SECONDS",
    "AlertKey",
    "Assurances",
    "AuditEntry",
    "AuditFilter",
    "Backlog",
    "ChangeFilter",
    "ChangePosition",
    "Claim",
    "Count",
    "DocumentChange",
    "DocumentFilter",
    "DocumentOutcome",
    "DocumentPosition",
    "Due",
    "Effect",
    "Event",
    "EventPosition",
    "Facets",
    "Feedback",
    "IncidentFilter",
    "Judgement",
    "KeptAlert",
    "KeptReject",
    "KeptToken",
    "NewDocument",
    "NewToken",
    "Position",
    "Receipt",
    "RejectFilter",
    "Rules",
    "Sort",
    "Store",
    "StrayFilter",
    "StrayPosition",
    "Touched",
    "connect",
    "event_position",
    "normalise",
    "split_token",
    "words_in",
]
