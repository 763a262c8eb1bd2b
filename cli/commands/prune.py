"""`opssage prune`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import click

from cli import history
from cli.ages import AGE
from cli.options import Options, pass_options, print_json, takes
from store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """Something that is deleted by its age."""

    prefix: str  #: of its keys in the JSON answer
    one: str
    several: str
    count: Callable[[Store, float], int]
    delete: Callable[[Store, float, int], int]

    def named(self, number: int) -> str:
        """Return `1 archived incident`, `7 archived incidents`."""
        return f"{number} {self.one if number == 1 else self.several}"


_KINDS = (
    _Kind(
        prefix="",
        one="archived incident",
        several="archived incidents",
        count=Store.count_prunable,
        delete=Store.prune_archive,
    ),
    _Kind(
        prefix="alerts_",
        one="alert without an incident",
        several="alerts without an incident",
        count=Store.count_prunable_strays,
        delete=Store.prune_strays,
    ),
    _Kind(
        prefix="changes_",
        one="reported change",
        several="reported changes",
        count=Store.count_prunable_changes,
        delete=Store.prune_changes,
    ),
)


@click.command()
@click.option(
    "--older-than",
    "age_seconds",
    required=True,
    type=AGE,
    help="How long ago an incident opened and resolved, an alert was last sent, or a change "
    "happened: 365d, 52w.",
)
@click.option(
    "--batch",
    default=500,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Incidents, alerts or changes deleted in one transaction.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@takes("config", "data", "json")
@pass_options
def prune(options: Options, age_seconds: float, batch: int, *, yes: bool) -> None:
    """Delete archived incidents for good, with their alerts and timelines.

    Also alerts that never belonged to an incident and were last sent so long ago, and changes
    reported for so long ago. Touches nothing else; `opssage archive` fills the archive.
    """
    with history.opened(options) as store:
        due = [kind.count(store, age_seconds) for kind in _KINDS]
        if any(due) and not yes:
            click.confirm(f"Delete {_named(due)} for good?", abort=True, err=True)
        deleted = [
            history.in_batches(
                partial(kind.delete, store, age_seconds, batch), total, f"deleting {kind.several}"
            )
            for kind, total in zip(_KINDS, due, strict=True)
        ]
    if options.json:
        told = zip(_KINDS, due, deleted, strict=True)
        print_json(
            {
                key: number
                for kind, total, done in told
                for key, number in ((f"{kind.prefix}due", total), (f"{kind.prefix}deleted", done))
            }
        )
    else:
        click.echo(f"deleted {_named(deleted)}")


def _named(numbers: Sequence[int]) -> str:
    """Return `1 archived incident and 7 alerts without an incident`: of each kind there is."""
    there = [kind.named(number) for kind, number in zip(_KINDS, numbers, strict=True) if number]
    *others, last = there or [_KINDS[0].named(0)]
    return f"{', '.join(others)} and {last}" if others else last
