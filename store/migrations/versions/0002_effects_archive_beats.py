"""Effects, the archive, signs of life; rejects that are told apart."""

import sqlalchemy as sa
from alembic import op

from store.columns import Document, IncidentId, UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "broker_epoch",
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_broker_epoch")),
    )
    op.execute("INSERT INTO broker_epoch VALUES ('')")  # none is known yet
    op.create_table(
        "incidents_archive",
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
        sa.Column("last_error", Document, nullable=True),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("receiver", sa.String(length=512), nullable=False),
        sa.Column("group_key", sa.String(length=256), nullable=False),
        sa.Column("resolved_at", UTCDateTime(), nullable=True),
        sa.Column("previous_id", IncidentId(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("alert_seq", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("truncated_alerts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("archived_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents_archive")),
    )
    op.create_index(
        "ix_incidents_archive_alert_name",
        "incidents_archive",
        ["alert_name", "created_at", "incident_id"],
    )
    op.create_index(
        "ix_incidents_archive_created_at", "incidents_archive", ["created_at", "incident_id"]
    )
    op.create_index(
        "ix_incidents_archive_namespace",
        "incidents_archive",
        ["namespace", "created_at", "incident_id"],
    )
    op.create_index(
        "ix_incidents_archive_service",
        "incidents_archive",
        ["service", "created_at", "incident_id"],
    )
    op.create_index(
        "ix_incidents_archive_severity",
        "incidents_archive",
        ["severity", "created_at", "incident_id"],
    )
    op.create_index(
        "ix_incidents_archive_status", "incidents_archive", ["status", "created_at", "incident_id"]
    )

    op.create_table(
        "process_beats",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_process_beats")),
    )
    op.create_table(
        "alerts_archive",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
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
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents_archive.incident_id"],
            name=op.f("fk_alerts_archive_incident_id_incidents_archive"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "fingerprint", "starts_at", "sender", name=op.f("pk_alerts_archive")
        ),
    )
    op.create_index("ix_alerts_archive_incident_id", "alerts_archive", ["incident_id"])

    op.create_table(
        "effects",
        sa.Column("effect_id", _SERIAL, nullable=False),
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("target", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("next_attempt_at", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.incident_id"],
            name=op.f("fk_effects_incident_id_incidents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("effect_id", name=op.f("pk_effects")),
        sa.UniqueConstraint(
            "incident_id",
            "revision",
            "event",
            "target",
            name=op.f("uq_effects_incident_id_revision_event_target"),
        ),
    )
    op.create_index(
        "ix_effects_due",
        "effects",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
    )

    op.create_table(
        "incident_events_archive",
        sa.Column("event_id", _SERIAL, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", Document, nullable=False),
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents_archive.incident_id"],
            name=op.f("fk_incident_events_archive_incident_id_incidents_archive"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_incident_events_archive")),
    )
    op.create_index(
        "ix_incident_events_archive_incident_id", "incident_events_archive", ["incident_id"]
    )

    op.create_index(
        "ix_incidents_resolved_at",
        "incidents",
        ["resolved_at"],
        postgresql_where=sa.text("resolved_at IS NOT NULL"),
        sqlite_where=sa.text("resolved_at IS NOT NULL"),
    )

    with op.batch_alter_table("ingest_rejects") as rejects:
        rejects.add_column(sa.Column("digest", sa.String(length=64)))
        rejects.add_column(
            sa.Column("deliveries", sa.Integer(), server_default="1", nullable=False)
        )
        rejects.add_column(sa.Column("last_seen_at", UTCDateTime()))
        rejects.add_column(sa.Column("envelope", Document))
        rejects.add_column(sa.Column("incident_id", IncidentId()))
    # rows from before there were digests stay as they are, each its own
    op.execute("UPDATE ingest_rejects SET digest = 'row ' || reject_id")
    with op.batch_alter_table("ingest_rejects") as rejects:
        rejects.alter_column("digest", existing_type=sa.String(length=64), nullable=False)
        rejects.create_unique_constraint(op.f("uq_ingest_rejects_digest"), ["digest"])


def downgrade() -> None:
    with op.batch_alter_table("ingest_rejects") as rejects:
        rejects.drop_constraint(op.f("uq_ingest_rejects_digest"), type_="unique")
        for name in ("incident_id", "envelope", "last_seen_at", "deliveries", "digest"):
            rejects.drop_column(name)
    op.drop_index("ix_incidents_resolved_at", "incidents")
    for table in (
        "incident_events_archive",
        "alerts_archive",
        "incidents_archive",
        "effects",
        "process_beats",
        "broker_epoch",
    ):
        op.drop_table(table)
