"""Incidents whose cause is known, in what later ones are compared by."""

import sqlalchemy as sa
from alembic import op

from store.columns import Document, IncidentId, UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KINDS = (("alert_name",), ("service", "category"), ("category", "component_kind"))
_ACTIONS = {
    "postgresql": """
        coalesce((SELECT jsonb_agg(step -> 'action') FROM jsonb_array_elements(
            diagnostic_report #> '{recommended_remediation,short_term_actions}') AS step), '[]')
    """,
    "sqlite": """
        (SELECT json_group_array(json_extract(step.value, '$.action')) FROM json_each(
            diagnostic_report, '$.recommended_remediation.short_term_actions') AS step)
    """,
}
_FACTS = {
    "postgresql": """
        coalesce(diagnostic_report ->> 'category', ''),
        split_part(coalesce(diagnostic_report ->> 'root_cause_component', ''), '/', 1),
        jsonb_build_object('root_cause', coalesce(root_cause, ''), 'comment', '',
            'signals', CAST('[]' AS jsonb), 'actions', {actions})
    """,
    "sqlite": """
        coalesce(json_extract(diagnostic_report, '$.category'), ''),
        substr(coalesce(json_extract(diagnostic_report, '$.root_cause_component'), ''), 1,
            instr(coalesce(json_extract(diagnostic_report, '$.root_cause_component'), '') || '/',
                '/') - 1),
        json_object('root_cause', coalesce(root_cause, ''), 'comment', '',
            'signals', json('[]'), 'actions', json({actions}))
    """,
}
_IS_FAULT = {
    "postgresql": "diagnostic_report ->> 'verdict' = 'fault'",
    "sqlite": "json_extract(diagnostic_report, '$.verdict') = 'fault'",
}


def upgrade() -> None:
    op.create_table(
        "precedents",
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("alert_name", sa.String(length=512), nullable=False),
        sa.Column("service", sa.String(length=512)),
        sa.Column("namespace", sa.String(length=512)),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("component_kind", sa.String(length=32), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.Column("facts", Document, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_precedents")),
    )
    dialect = op.get_bind().dialect.name
    for table in ("incidents", "incidents_archive"):
        op.execute(_fill(table, dialect))
    for kind in _KINDS:
        name = f"ix_precedents_{kind[-1]}"
        op.create_index(name, "precedents", [*kind, "judged", "created_at", "incident_id"])


def _fill(table: str, dialect: str) -> str:
    """Return the statement that writes the faults of a table down, but for what people rejected."""
    facts = _FACTS[dialect].format(actions=_ACTIONS[dialect])
    return f"""
        INSERT INTO precedents (incident_id, created_at, alert_name, service, namespace,
            category, component_kind, facts, judged)
        SELECT incident_id, created_at, alert_name, service, namespace, {facts},
            EXISTS (SELECT 1 FROM feedback WHERE feedback.incident_id = {table}.incident_id
                AND feedback.revision = {table}.revision)
        FROM {table}
        WHERE {_IS_FAULT[dialect]} AND NOT EXISTS (
            SELECT 1 FROM feedback WHERE feedback.incident_id = {table}.incident_id
                AND feedback.verdict = 'rejected')
    """  # noqa: S608 - nothing in it comes from outside


def downgrade() -> None:
    op.drop_table("precedents")
