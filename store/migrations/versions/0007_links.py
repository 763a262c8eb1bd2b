"""Links between incidents and what they are found by; feedback that counts causes."""

import sqlalchemy as sa
from alembic import op

from store.columns import Document, IncidentId, UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incident_links",
        sa.Column("lower_id", IncidentId(), nullable=False),
        sa.Column("higher_id", IncidentId(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lower_id", "higher_id", name=op.f("pk_incident_links")),
    )
    op.create_index("ix_incident_links_higher_id", "incident_links", ["higher_id"])
    op.add_column("incidents", sa.Column("footprint", Document))
    for name in ("link_seq", "links_seen"):
        number = sa.Column(name, sa.Integer(), server_default="0", nullable=False)
        op.add_column("incidents", number)
    for name, length in (("namespace", 512), ("component", 512), ("judged_cause", 128)):
        text = sa.Column(name, sa.String(length), server_default="", nullable=False)
        op.add_column("feedback", text)
    op.add_column("feedback", sa.Column("cause", sa.String(length=128)))
    op.create_index("ix_feedback_namespace", "feedback", ["namespace", "feedback_id"])
    op.create_table(
        "feedback_state",
        sa.Column("state_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", name=op.f("pk_feedback_state")),
    )


def downgrade() -> None:
    op.drop_table("feedback_state")
    op.drop_index("ix_feedback_namespace", "feedback")
    for name in ("cause", "judged_cause", "component", "namespace"):
        op.drop_column("feedback", name)
    for name in ("links_seen", "link_seq", "footprint"):
        op.drop_column("incidents", name)
    op.drop_table("incident_links")
