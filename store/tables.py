"""The tables. `incidents` is at once the record, the outbox and the queue of record."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from opssage.incident import Status
from store.columns import Document, IncidentId, Ratio, UTCDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_serial = BigInteger().with_variant(Integer, "sqlite")


def _told() -> tuple[Column[Any], ...]:
    """Return the columns that readers see."""
    return (
        Column("incident_id", IncidentId, primary_key=True),
        Column("status", String(32), nullable=False),
        Column("created_at", UTCDateTime, nullable=False),
        Column("updated_at", UTCDateTime, nullable=False),
        Column("alert_input", Document, nullable=False),
        Column("primary_context", Document),
        Column("enhanced_context", Document),
        Column("diagnostic_report", Document),
        Column("alert_name", String(512), nullable=False),
        Column("severity", String(64), nullable=False),
        Column("namespace", String(512)),
        Column("service", String(512)),
        Column("root_cause", Text),
        Column("confidence_score", Ratio),
        Column("last_error", Document),
        Column("sender", String(128), nullable=False),
        Column("receiver", String(512), nullable=False),
        Column("group_key", String(256), nullable=False),
        Column("resolved_at", UTCDateTime),
        Column("previous_id", IncidentId),
        Column("revision", Integer, nullable=False, server_default="1"),
        Column("alert_seq", Integer, nullable=False, server_default="1"),
        Column("version", Integer, nullable=False, server_default="1"),
        Column("truncated_alerts", Integer, nullable=False, server_default="0"),
        Column("flap_count", Integer, nullable=False, server_default="0"),
        Column("flapping", Boolean, nullable=False, server_default=false()),
        Column("acked_at", UTCDateTime),
        Column("acked_by", String(128)),
    )


incidents = Table(
    "incidents",
    metadata,
    *_told(),
    Column("priority", Integer, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_until", UTCDateTime),
    Column("lease_owner", String(256)),
    Column("lease_task", String(64)),
    Column("next_attempt_at", UTCDateTime),  # of a resting incident: when its next revision is due
    Column("enqueued_at", UTCDateTime),
    Column("enqueue_count", Integer, nullable=False, server_default="0"),
    # the `alert_seq` of the last alert that must not wait for the cooldown
    Column("urgent_seq", Integer, nullable=False, server_default="0"),
    Column("closed_at", UTCDateTime),  # when its end became known; `resolved_at` is what was told
    Column("footprint", Document),  # what links are found by; NULL until collect has run
    # how often others made links that concern it, and how many of these its answer knows
    Column("link_seq", Integer, nullable=False, server_default="0"),
    Column("links_seen", Integer, nullable=False, server_default="0"),
)

RUNNING = tuple(status.value for status in Status if not status.is_terminal)
_names = "', '".join(RUNNING)
_is_running = text(f"status IN ('{_names}')")
_is_due_again = text(f"status NOT IN ('{_names}') AND next_attempt_at IS NOT NULL")

incidents_archive = Table(
    "incidents_archive",
    metadata,
    *_told(),
    Column("archived_at", UTCDateTime, nullable=False),
)

for _table in (incidents, incidents_archive):
    _newest = (_table.c.created_at, _table.c.incident_id)
    Index(f"ix_{_table.name}_created_at", *_newest)
    for _filter in ("status", "severity", "namespace", "service", "alert_name", "sender"):
        # newest first within each filter that users' queries and the list know
        Index(f"ix_{_table.name}_{_filter}", _table.c[_filter], *_newest)
    # of what most incidents are not, only those that are
    for _name, _condition in (("open", "resolved_at IS NULL"), ("acked", "acked_at IS NOT NULL")):
        Index(
            f"ix_{_table.name}_{_name}",
            *_newest,
            postgresql_where=text(_condition),
            sqlite_where=text(_condition),
        )
    Index(f"ix_{_table.name}_updated_at", _table.c.updated_at, _table.c.incident_id)
Index(
    "ix_incidents_due",
    incidents.c.priority,
    incidents.c.created_at,
    postgresql_where=_is_running,
    sqlite_where=_is_running,
)
Index(
    "ix_incidents_due_again",
    incidents.c.next_attempt_at,
    postgresql_where=_is_due_again,
    sqlite_where=_is_due_again,
)
_is_resolved = text("resolved_at IS NOT NULL")
Index(
    "ix_incidents_resolved_at",
    incidents.c.resolved_at,
    postgresql_where=_is_resolved,
    sqlite_where=_is_resolved,
)
Index(
    "ix_incidents_group",
    incidents.c.group_key,
    incidents.c.receiver,
    incidents.c.sender,
    incidents.c.created_at,
)


def _incident_key(
    table: str = "incidents", *, nullable: bool = False, index: bool = True
) -> Column[object]:
    return Column(
        "incident_id",
        IncidentId,
        ForeignKey(f"{table}.incident_id", ondelete="CASCADE"),
        nullable=nullable,
        index=index,
    )


def _alert_columns() -> tuple[Column[Any], ...]:
    return (
        # the identity of an alert, whichever door it came by
        Column("fingerprint", String(16), primary_key=True),
        Column("starts_at", UTCDateTime, primary_key=True),
        Column("sender", String(128), primary_key=True),
        Column("disposition", String(32)),
        Column("status", String(16), nullable=False),
        Column("ends_at", UTCDateTime),
        Column("labels", Document, nullable=False),
        Column("annotations", Document, nullable=False),
        Column("generator_url", Text, nullable=False),
        Column("firing_condition", Text, nullable=False),
        Column("deliveries", Integer, nullable=False, server_default="1"),
        Column("first_seen_at", UTCDateTime, nullable=False),
        Column("last_seen_at", UTCDateTime, nullable=False),
        Column("stale_at", UTCDateTime),  # it counts as over then, unless it is sent again
        Column("closed_at", UTCDateTime),  # when its end became known; NULL while it fires
        Column("end_reason", String(16)),
        Column("extra", Document),  # what the sender says beyond the common fields
    )


alerts = Table(
    "alerts",
    metadata,
    *_alert_columns(),
    _incident_key(nullable=True),  # NULL when it opened none; `disposition` says why
)
_is_firing = text("status = 'firing'")
Index("ix_alerts_stale_at", alerts.c.stale_at, postgresql_where=_is_firing, sqlite_where=_is_firing)
_opened_none = text("incident_id IS NULL")
for _name, _first in (("", ()), ("_disposition", ("disposition",)), ("_sender", ("sender",))):
    Index(
        f"ix_alerts_opened_none{_name}",
        *(alerts.c[_column] for _column in (*_first, "first_seen_at", "fingerprint")),
        postgresql_where=_opened_none,
        sqlite_where=_opened_none,
    )
alerts_archive = Table(
    "alerts_archive", metadata, *_alert_columns(), _incident_key("incidents_archive")
)


def _event_columns() -> tuple[Column[Any], ...]:
    return (
        Column("event_id", _serial, primary_key=True),
        Column("at", UTCDateTime, nullable=False),
        Column("kind", String(32), nullable=False),
        Column("data", Document, nullable=False),
    )


# One row an incident, live or archived: what is searched for is no part of what is worked on, so
# that the many updates of an incident leave the full-text index alone. That index, which has no
# common form on both databases, is made by the migration.
incident_words = Table(
    "incident_words",
    metadata,
    Column("words_id", _serial, primary_key=True),
    # no foreign key: the words stay when the incident is archived
    Column("incident_id", IncidentId, nullable=False),
    # each word has a space before it
    Column("alert_words", Text, nullable=False),
    Column("answer_words", Text, nullable=False, server_default=""),
    UniqueConstraint("incident_id"),
)

incident_events = Table("incident_events", metadata, *_event_columns(), _incident_key())
incident_events_archive = Table(
    "incident_events_archive", metadata, *_event_columns(), _incident_key("incidents_archive")
)

# Incidents whose cause is known, live or archived: what later ones are compared with. Narrow, so
# that a look at history reads no reports.
precedents = Table(
    "precedents",
    metadata,
    # no foreign key: what was learnt stays when the incident is archived
    Column("incident_id", IncidentId, primary_key=True),
    Column("created_at", UTCDateTime, nullable=False),  # the incident's
    Column("alert_name", String(512), nullable=False),
    Column("service", String(512)),
    Column("namespace", String(512)),
    Column("category", String(64), nullable=False),
    Column("component_kind", String(32), nullable=False),
    Column("judged", Boolean, nullable=False),  # somebody confirmed the cause, or told it
    Column("facts", Document, nullable=False),  # root_cause, actions, signals, comment …
)
for _kind in (("alert_name",), ("service", "category"), ("category", "component_kind")):
    # of each kind those that people judged, and then the newest
    Index(
        f"ix_precedents_{_kind[-1]}",
        *(precedents.c[_column] for _column in (*_kind, "judged", "created_at", "incident_id")),
    )

# no foreign keys: a link stays when one of its incidents is archived
incident_links = Table(
    "incident_links",
    metadata,
    Column("lower_id", IncidentId, primary_key=True),
    Column("higher_id", IncidentId, primary_key=True, index=True),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)

ingest_rejects = Table(
    "ingest_rejects",
    metadata,
    Column("reject_id", _serial, primary_key=True),
    Column("received_at", UTCDateTime, nullable=False),
    Column("sender", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # the same alert sent again is the same row
    Column("deliveries", Integer, nullable=False, server_default="1"),
    Column("last_seen_at", UTCDateTime),
    Column("envelope", Document),  # of the group it came with, to take it again under it
    Column("incident_id", IncidentId),  # where it went when it was taken after all
    UniqueConstraint("digest"),
)

effects = Table(
    "effects",
    metadata,
    Column("effect_id", _serial, primary_key=True),
    _incident_key(index=False),  # the unique constraint has one
    Column("revision", Integer, nullable=False),
    Column("event", String(16), nullable=False),
    Column("target", String(128), nullable=False),
    Column("state", String(16), nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", UTCDateTime, nullable=False),
    Column("next_attempt_at", UTCDateTime),  # NULL: over
    Column("last_error", Text),
    # whoever writes it again, and however often: it is one notification
    UniqueConstraint("incident_id", "revision", "event", "target"),
)
_is_unsent = text("next_attempt_at IS NOT NULL")
Index(
    "ix_effects_due",
    effects.c.next_attempt_at,
    postgresql_where=_is_unsent,
    sqlite_where=_is_unsent,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("name", String(128), nullable=False),  # an ingest token's is the `sender`
    Column("scopes", String(64), nullable=False),  # words with spaces between
    Column("secret_hash", String(64), nullable=False),
    Column("parent_id", String(16), index=True),  # of a session: the token that logged in
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("expires_at", UTCDateTime),
    Column("last_used_at", UTCDateTime),
    Column("revoked_at", UTCDateTime),
)

# no foreign keys: what was done outlives what it was done to
audit = Table(
    "audit",
    metadata,
    Column("audit_id", _serial, primary_key=True),
    Column("at", UTCDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(128), nullable=False),
    Column("detail", Document, nullable=False),
    Column("request_id", String(64), nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("feedback_id", _serial, primary_key=True),
    # no foreign key: what was learnt of an incident stays when it is archived
    Column("incident_id", IncidentId, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("by", String(128), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("root_cause", Text),
    Column("comment", Text),
    # what was judged, in the names that causes are counted by; empty: it named none
    Column("namespace", String(512), nullable=False, server_default=""),
    Column("component", String(512), nullable=False, server_default=""),
    Column("judged_cause", String(128), nullable=False, server_default=""),
    Column("cause", String(128)),  # what it really was, when the catalogue knows it
)
Index("ix_feedback_namespace", feedback.c.namespace, feedback.c.feedback_id)

feedback_state = Table(
    "feedback_state",
    metadata,
    Column("state_id", Integer, primary_key=True, autoincrement=False),  # one row
    Column("version", BigInteger, nullable=False),  # moves with every change of feedback
)

# what was asked and answered in collect, for each revision: `opssage replay` asks it again
incident_recordings = Table(
    "incident_recordings",
    metadata,
    Column(
        "incident_id",
        IncidentId,
        ForeignKey("incidents.incident_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("revision", Integer, primary_key=True),
    Column("recorded_at", UTCDateTime, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

# no foreign keys: a change belongs to a time and a place, not to an incident
changes = Table(
    "changes",
    metadata,
    Column("change_id", _serial, primary_key=True),
    Column("at", UTCDateTime, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("summary", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("service", String(512)),
    Column("namespace", String(512)),
    Column("version_before", String(512), nullable=False),
    Column("version_after", String(512), nullable=False),
    Column("url", Text, nullable=False),
    Column("details", Document, nullable=False),
    Column("sender", String(128), nullable=False),
    Column("received_at", UTCDateTime, nullable=False),
    Column("digest", String(64), nullable=False),  # the same change sent again is the same row
    UniqueConstraint("digest"),
)
Index("ix_changes_at", changes.c.at, changes.c.change_id)

# what the team knows: `about` is read out of the text's front matter, and its passages are cut out
# of it by whoever looks for them, so that nothing is left of a document that is deleted
documents = Table(
    "documents",
    metadata,
    Column("document_id", IncidentId, primary_key=True),
    Column("name", String(256), nullable=False),
    Column("title", Text, nullable=False),
    Column("about", Document, nullable=False),
    Column("text", Text, nullable=False),
    Column("origin", String(512), nullable=False),
    Column("digest", String(64), nullable=False),  # of what was sent: the same again is no change
    Column("size", Integer, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
    UniqueConstraint("name"),
)
Index("ix_documents_updated_at", documents.c.updated_at, documents.c.document_id)

knowledge_state = Table(
    "knowledge_state",
    metadata,
    Column("state_id", Integer, primary_key=True, autoincrement=False),  # one row
    Column("version", BigInteger, nullable=False),  # moves with every change of a document
)

process_beats = Table(
    "process_beats",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("at", UTCDateTime, nullable=False),
)

broker_epoch = Table(
    "broker_epoch",
    metadata,
    Column("value", String(64), primary_key=True),  # one row: what the broker should hold too
)
