"""Tells a person what became of the alerts that were sent."""

from collections.abc import Mapping
from typing import Any

from cli.client import Incident
from cli.exits import CommandError
from cli.options import messages
from cli.sending.posts import Post
from opssage.incident import Change, Status

Receipt = Mapping[str, Any]
"""What the doors answer, as the API has it."""


def tell(receipt: Receipt, post: Post) -> None:
    """Say on stderr what the receipt means. Raises CommandError when no alert was taken."""
    if not receipt:
        messages.print(
            f"{post.name} is sent; {post.form.path} gives no receipt: `opssage incidents`, "
            "`opssage alerts` and `opssage rejects` show what came of it",
            soft_wrap=True,
            markup=False,
        )
        return
    _tell_rejects(receipt)
    if kept := receipt.get("ignored"):
        messages.print(
            f"{_alerts(kept)} kept without an incident, by ingest.ignore or as servants of "
            "alerting: `opssage alerts` lists them",
            soft_wrap=True,
        )
    if not receipt["incidents"]:
        _tell_no_incident(receipt, post)
        return
    for touched in receipt["incidents"]:
        change = Change(touched["change"])
        if change in _MEANING:
            told = _MEANING[change].format(touched["incident_id"]) + _if_over(change, touched)
            messages.print(told, soft_wrap=True, markup=False)


_MEANING = {
    Change.REOPENED: "reopened incident {}",
    Change.JOINED: "joined incident {}",
    Change.RESOLVED: "incident {} is resolved",
    Change.ENDED: "noted in incident {}, of which other alerts fire",
    Change.REPEATED: "counted as a repeat in incident {}: nothing new in it",
}


def _if_over(change: Change, touched: Incident) -> str:
    """Return what alerts mean for an incident that had been investigated when they came."""
    status = Status(touched["status"])
    if change not in {Change.REOPENED, Change.JOINED} or not status.is_terminal:
        return ""
    gave_up = status is Status.FAILED
    how, anew = ("given up", "runs it on") if gave_up else ("diagnosed", "diagnoses it anew")
    return (
        f", which was {how} before these alerts came; alerts that it did not have are looked into "
        f"after diagnose.cooldown_seconds, `opssage retry {touched['incident_id']}` {anew} at once"
    )


def _tell_rejects(receipt: Receipt) -> None:
    for reject in receipt["rejected"]:
        messages.print(f"alert {reject['index']} rejected: {reject['reason']}", markup=False)
    if more := receipt["rejected_more"]:
        messages.print(f"and {more} more, which the server has not kept")


def _tell_no_incident(receipt: Receipt, post: Post) -> None:
    if receipt.get("ignored"):
        return
    if receipt["rejected"] and not receipt["accepted"] + receipt["duplicates"]:
        raise CommandError(f"{post.name}: no alert was taken")
    over = "over when first heard of: kept" if post.only_ends else "taken"
    messages.print(f"{over}, and no incident was opened")


def _alerts(number: int) -> str:
    return f"{number} alert{'' if number == 1 else 's'}"
