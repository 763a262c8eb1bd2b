"""`opssage prune`."""

from functools import partial

import click

from cli import history
from cli.ages import AGE
from cli.options import Options, pass_options, print_json, takes


@click.command()
@click.option(
    "--older-than",
    "age_seconds",
    required=True,
    type=AGE,
    help="How long ago an incident opened and resolved, or an alert was last sent: 365d, 52w.",
)
@click.option(
    "--batch",
    default=500,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Incidents or alerts deleted in one transaction.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@takes("config", "data", "json")
@pass_options
def prune(options: Options, age_seconds: float, batch: int, *, yes: bool) -> None:
    """Delete archived incidents for good, with their alerts and timelines.

    Also alerts that never belonged to an incident and were last sent so long ago. Touches nothing
    else; `opssage archive` fills the archive.
    """
    with history.opened(options) as store:
        total = store.count_prunable(age_seconds)
        strays = store.count_prunable_strays(age_seconds)
        if (total or strays) and not yes:
            click.confirm(f"Delete {_named(total, strays)} for good?", abort=True, err=True)
        step = partial(store.prune_archive, age_seconds, batch)
        deleted = history.in_batches(step, total, "deleting incidents")
        step = partial(store.prune_strays, age_seconds, batch)
        alerts_deleted = history.in_batches(step, strays, "deleting alerts")
    if options.json:
        told = {"due": total, "deleted": deleted}
        print_json({**told, "alerts_due": strays, "alerts_deleted": alerts_deleted})
    else:
        click.echo(f"deleted {_named(deleted, alerts_deleted)}")


def _named(incidents: int, strays: int) -> str:
    """Return `1 archived incident and 7 alerts without an incident`, or the part there is of it."""
    of_archive = history.incidents(incidents, "archived")
    if not strays:
        return of_archive
    others = f"{strays} alert{'' if strays == 1 else 's'} without an incident"
    return f"{of_archive} and {others}" if incidents else others
