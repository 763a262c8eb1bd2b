"""Changes that are reported, and recordings of what collect asked."""

import sqlalchemy as sa
from alembic import op

from store.columns import Document, IncidentId, UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "incident_recordings",
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("recorded_at", UTCDateTime(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incidents.incident_id"],
            name=op.f("fk_incident_recordings_incident_id_incidents"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("incident_id", "revision", name=op.f("pk_incident_recordings")),
    )
    op.create_table(
        "changes",
        sa.Column("change_id", _SERIAL, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("service", sa.String(length=512)),
        sa.Column("namespace", sa.String(length=512)),
        sa.Column("version_before", sa.String(length=512), nullable=False),
        sa.Column("version_after", sa.String(length=512), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("details", Document, nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_changes")),
        sa.UniqueConstraint("digest", name=op.f("uq_changes_digest")),
    )
    op.create_index("ix_changes_at", "changes", ["at", "change_id"])


def downgrade() -> None:
    op.drop_table("changes")
    op.drop_table("incident_recordings")
