"""The life of an incident, tokens, the audit, feedback."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.columns import Document, IncidentId, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _told() -> list[sa.Column[Any]]:
    return [
        sa.Column("flap_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("flapping", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("acked_at", UTCDateTime(), nullable=True),
        sa.Column("acked_by", sa.String(length=128), nullable=True),
    ]


def _control() -> list[sa.Column[Any]]:
    return [
        sa.Column("urgent_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
    ]


def _of_alert() -> list[sa.Column[Any]]:
    return [
        sa.Column("stale_at", UTCDateTime(), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("end_reason", sa.String(length=16), nullable=True),
        sa.Column("extra", Document, nullable=True),
    ]


def _added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "incidents": [*_told(), *_control()],
        "incidents_archive": _told(),
        "alerts": _of_alert(),
        "alerts_archive": _of_alert(),
    }


def upgrade() -> None:
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    # what had ended before this was known is as long over as it says
    op.execute("UPDATE incidents SET closed_at = resolved_at WHERE resolved_at IS NOT NULL")
    op.execute("UPDATE alerts SET closed_at = last_seen_at WHERE status = 'resolved'")
    op.create_index(
        "ix_alerts_stale_at",
        "alerts",
        ["stale_at"],
        postgresql_where=sa.text("status = 'firing'"),
        sqlite_where=sa.text("status = 'firing'"),
    )
    op.create_index(
        "ix_alerts_opened_none",
        "alerts",
        ["first_seen_at", "fingerprint"],
        postgresql_where=sa.text("incident_id IS NULL"),
        sqlite_where=sa.text("incident_id IS NULL"),
    )

    op.create_table(
        "api_tokens",
        sa.Column("token_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("scopes", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_tokens")),
    )
    op.create_index(op.f("ix_api_tokens_parent_id"), "api_tokens", ["parent_id"])

    op.create_table(
        "audit",
        sa.Column("audit_id", _SERIAL, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=128), nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit")),
    )

    op.create_table(
        "feedback",
        sa.Column("feedback_id", _SERIAL, nullable=False),
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("root_cause", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("feedback_id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_incident_id"), "feedback", ["incident_id"])


def downgrade() -> None:
    for table in ("feedback", "audit", "api_tokens"):
        op.drop_table(table)
    op.drop_index("ix_alerts_opened_none", "alerts")
    op.drop_index("ix_alerts_stale_at", "alerts")
    for table, columns in _added().items():
        with op.batch_alter_table(table) as altered:
            for column in columns:
                altered.drop_column(column.name)
