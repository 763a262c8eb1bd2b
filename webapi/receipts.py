"""Committing a request's alerts, and telling its sender what became of them."""

from collections.abc import Callable, Sequence
from time import perf_counter

from flask import Response, current_app, url_for

from opssage import metrics
from opssage.incident import SEVERITIES, AlertGroup
from store import Receipt
from webapi.problems import RETRY_SECONDS, problem

Commit = Callable[..., Receipt]
"""Takes groups of alerts, and returns once they are stored."""
Answer = Callable[[Sequence[AlertGroup], Receipt], Response]


def told(groups: Sequence[AlertGroup], receipt: Receipt) -> Response:
    """Answer 202 and what became of each alert; with one incident, `Location` leads there."""
    touched = [
        {
            "incident_id": str(item.incident_id),
            "status": item.status.value,
            "change": item.change.value,
            "url": url_for("incidents.get_incident", incident_id=item.incident_id),
        }
        for item in receipt.incidents
    ]
    body = {
        "incidents": touched,
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "ignored": receipt.ignored,
        "rejected": [
            {"index": item.index, "reason": item.reason}
            for group in groups
            for item in group.rejects
        ],
        "rejected_more": sum(group.more_rejects for group in groups),
    }
    answer = Response(current_app.json.dumps(body), 202, mimetype="application/json")
    if len(touched) == 1:
        answer.headers["Location"] = touched[0]["url"]
    return answer


def empty(_groups: Sequence[AlertGroup], _receipt: Receipt) -> Response:
    """Answer 200 and nothing, as an Alertmanager does."""
    answer = Response(status=200)
    del answer.headers["Content-Type"]
    return answer


def take(
    groups: Sequence[AlertGroup],
    commit: Commit,
    nudge: Callable[[], None],
    answer: Answer = told,
) -> Response:
    """Commit a request's alerts, tell the publisher and the metrics, and answer.

    503 when the backlog is full, however well the rest went: the sender has to send again.
    """
    started = perf_counter()
    receipt = commit(*groups)
    if any(touched.opened for touched in receipt.incidents):
        nudge()
    _count(groups, receipt, perf_counter() - started)
    return _backlog_full(receipt) if receipt.refused else answer(groups, receipt)


def _backlog_full(receipt: Receipt) -> Response:
    stored = receipt.accepted + receipt.duplicates + receipt.ignored
    answer = problem(
        503,
        "Service Unavailable",
        f"{receipt.refused} alerts would open incidents, but ingest.backlog_max unfinished ones "
        f"wait already: send again. The other {stored} are stored.",
    )
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _count(groups: Sequence[AlertGroup], receipt: Receipt, seconds: float) -> None:
    metrics.WEBHOOK_SECONDS.observe(seconds)
    for outcome, number in (
        ("accepted", receipt.accepted),
        ("duplicate", receipt.duplicates),
        ("ignored", receipt.ignored),
        ("rejected", sum(len(group.rejects) + group.more_rejects for group in groups)),
        ("refused", receipt.refused),
    ):
        metrics.ALERTS_RECEIVED.labels(outcome).inc(number)
    for touched in receipt.incidents:
        if touched.opened:
            # a sender may write any word; only known ones become a series
            known = touched.severity if touched.severity in SEVERITIES else "other"
            metrics.INCIDENTS_OPENED.labels(known).inc()
