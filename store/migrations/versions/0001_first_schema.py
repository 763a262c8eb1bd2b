"""First schema: incidents, their alerts and events, and what could not be taken."""

import sqlalchemy as sa
from alembic import op

from store.columns import Document, IncidentId, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("alert_input", Document, nullable=False),
        sa.Column("primary_context", Document, nullable=True),
        sa.Column("enhanced_context", Document, nullable=True),
        sa.Column("diagnostic_report", Document, nullable=True),
        sa.Column("alert_name", sa.String(length=512), nullable=False),
        sa.Column("severity", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=512), nullable=True),
        sa.Column("service", sa.String(length=512), nullable=True),
        sa.Column("root_cause", sa.Text(), nullable=True),
        sa.Column("confidence_score", sa.Float(precision=53), nullable=True),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("receiver", sa.String(length=512), nullable=False),
        sa.Column("group_key", sa.String(length=256), nullable=False),
        sa.Column("resolved_at", UTCDateTime(), nullable=True),
        sa.Column("previous_id", IncidentId(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("alert_seq", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("truncated_alerts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("lease_owner", sa.String(length=256), nullable=True),
        sa.Column("lease_task", sa.String(length=64), nullable=True),
        sa.Column("next_attempt_at", UTCDateTime(), nullable=True),
        sa.Column("enqueued_at", UTCDateTime(), nullable=True),
        sa.Column("enqueue_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", Document, nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents")),
    )
    op.create_index(
        "ix_incidents_alert_name", "incidents", ["alert_name", "created_at", "incident_id"]
    )
    op.create_index("ix_incidents_created_at", "incidents", ["created_at", "incident_id"])
    due_again = sa.text(
        "status NOT IN ('pending', 'context_collected', 'context_enriched')"
        " AND next_attempt_at IS NOT NULL"
    )
    op.create_index(
        "ix_incidents_due_again",
        "incidents",
        ["next_attempt_at"],
        postgresql_where=due_again,
        sqlite_where=due_again,
    )
    op.create_index(
        "ix_incidents_due",
        "incidents",
        ["priority", "created_at"],
        postgresql_where=sa.text("status IN ('pending', 'context_collected', 'context_enriched')"),
        sqlite_where=sa.text("status IN ('pending', 'context_collected', 'context_enriched')"),
    )
    op.create_index(
        "ix_incidents_namespace", "incidents", ["namespace", "created_at", "incident_id"]
    )
    op.create_index(
        "ix_incidents_group", "incidents", ["group_key", "receiver", "sender", "created_at"]
    )
    op.create_index("ix_incidents_service", "incidents", ["service", "created_at", "incident_id"])
    op.create_index("ix_incidents_severity", "incidents", ["severity", "created_at", "incident_id"])
    op.create_index("ix_incidents_status", "incidents", ["status", "created_at", "incident_id"])

    op.create_table(
        "ingest_rejects",
        sa.Column(
            "reject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reject_id", name=op.f("pk_ingest_rejects")),
    )
    op.create_table(
        "alerts",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("incident_id", IncidentId(), nullable=True),
        sa.Column("disposition", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=True),
        sa.Column("labels", Document, nullable=False),
        sa.Column("annotations", Document, nullable=False),
        sa.Column("generator_url", sa.Text(), nullable=False),
        sa.Column("firing_condition", sa.Text(), nullable=False),
        sa.Column("deliveries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.incident_id"],
            name=op.f("fk_alerts_incident_id_incidents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("fingerprint", "starts_at", "sender", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_incident_id", "alerts", ["incident_id"])

    op.create_table(
        "incident_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", Document, nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.incident_id"],
            name=op.f("fk_incident_events_incident_id_incidents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_incident_events")),
    )
    op.create_index("ix_incident_events_incident_id", "incident_events", ["incident_id"])


def downgrade() -> None:
    for table in ("ingest_rejects", "incident_events", "alerts", "incidents"):
        op.drop_table(table)
