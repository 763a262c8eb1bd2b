"""Search by words, lists in the order of changes, and more filters."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from store.columns import IncidentId
from store.tables import incidents, incidents_archive
from store.words import words_of, words_of_answer

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BATCH = 1000
_INCIDENTS = ("incidents", "incidents_archive")
_PARTIAL = {"open": "resolved_at IS NULL", "acked": "acked_at IS NOT NULL"}

# inserting is to stay quick whoever's turn it is to merge what waits: hence the small list
_ON_POSTGRESQL = [
    """
    CREATE INDEX ix_incident_words_text ON incident_words
    USING gin (array_to_tsvector(string_to_array(ltrim(alert_words || answer_words), ' ')))
    WITH (fastupdate = on, gin_pending_list_limit = 256)
    """
]
_REMOVE = """
    INSERT INTO incident_words_text (incident_words_text, rowid, alert_words, answer_words)
    VALUES ('delete', old.words_id, old.alert_words, old.answer_words);
"""
_ADD = """
    INSERT INTO incident_words_text (rowid, alert_words, answer_words)
    VALUES (new.words_id, new.alert_words, new.answer_words);
"""
# words are letters and digits: to `ascii` whatever is no ASCII is a letter
_ON_SQLITE = [
    """
    CREATE VIRTUAL TABLE incident_words_text USING fts5 (
        alert_words, answer_words,
        content = 'incident_words', content_rowid = 'words_id',
        tokenize = 'ascii', detail = 'none'
    )
    """,
    "INSERT INTO incident_words_text (incident_words_text) VALUES ('rebuild')",
    *(
        f"CREATE TRIGGER incident_words_after_{event} AFTER {event} ON incident_words"
        f" BEGIN {then} END"
        for event, then in (("INSERT", _ADD), ("DELETE", _REMOVE), ("UPDATE", _REMOVE + _ADD))
    ),
]


def upgrade() -> None:
    for table in _INCIDENTS:
        newest = ["created_at", "incident_id"]
        op.create_index(f"ix_{table}_sender", table, ["sender", *newest])
        op.create_index(f"ix_{table}_updated_at", table, ["updated_at", "incident_id"])
        for name, condition in _PARTIAL.items():
            _create_partial(f"ix_{table}_{name}", table, newest, condition)
    for column in ("disposition", "sender"):
        columns = [column, "first_seen_at", "fingerprint"]
        _create_partial(f"ix_alerts_opened_none_{column}", "alerts", columns, "incident_id IS NULL")
    op.create_table(
        "incident_words",
        sa.Column("words_id", _SERIAL, nullable=False),
        sa.Column("incident_id", IncidentId(), nullable=False),
        sa.Column("alert_words", sa.Text(), nullable=False),
        sa.Column("answer_words", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("words_id", name=op.f("pk_incident_words")),
        sa.UniqueConstraint("incident_id", name=op.f("uq_incident_words_incident_id")),
    )
    for source in (incidents, incidents_archive):
        _write_words(op.get_bind(), source)
    statements = {"postgresql": _ON_POSTGRESQL, "sqlite": _ON_SQLITE}
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def _create_partial(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)


def _write_words(connection: sa.Connection, table: sa.Table) -> None:
    """Write down the words of the incidents that are there."""
    words = sa.table(
        "incident_words",
        sa.column("incident_id", IncidentId()),
        sa.column("alert_words"),
        sa.column("answer_words"),
    )
    for batch in _batches(connection, table):
        connection.execute(sa.insert(words), [_words(row) for row in batch])


def _batches(connection: sa.Connection, table: sa.Table) -> Iterator[Sequence[sa.Row[Any]]]:
    names = ("incident_id", "alert_name", "severity", "namespace", "service", "root_cause")
    query: sa.Select[Any] = (
        sa.select(
            *(table.c[name] for name in names),
            table.c.alert_input,
            table.c.diagnostic_report["category"].as_string().label("category"),
        )
        .order_by(table.c.incident_id)
        .limit(_BATCH)
    )
    batch = connection.execute(query).all()
    while batch:
        yield batch
        later = query.where(table.c.incident_id > batch[-1].incident_id)
        batch = connection.execute(later).all()


def _words(row: sa.Row[Any]) -> dict[str, Any]:
    shown = (row.alert_name, row.severity, row.namespace, row.service)
    alert = row.alert_input
    labels = alert.get("labels", {}).values()
    return {
        "incident_id": row.incident_id,
        "alert_words": words_of((*shown, *labels, alert.get("message"))),
        "answer_words": words_of_answer({"root_cause": row.root_cause, "category": row.category}),
    }


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE incident_words_text")
    op.drop_table("incident_words")
    for column in ("disposition", "sender"):
        op.drop_index(f"ix_alerts_opened_none_{column}", "alerts")
    for table in _INCIDENTS:
        for name in ("sender", "updated_at", *_PARTIAL):
            op.drop_index(f"ix_{table}_{name}", table)
