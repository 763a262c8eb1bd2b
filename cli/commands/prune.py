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
    help="How long ago an incident opened and resolved, at least: 365d, 52w.",
)
@click.option(
    "--batch",
    default=500,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Incidents deleted in one transaction.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@takes("config", "data", "json")
@pass_options
def prune(options: Options, age_seconds: float, batch: int, *, yes: bool) -> None:
    """Delete archived incidents for good, with their alerts and timelines.

    Touches nothing but the archive; `opssage archive` fills it.
    """
    with history.opened(options) as store:
        total = store.count_prunable(age_seconds)
        if total and not yes:
            question = f"Delete {history.incidents(total, 'archived')} for good?"
            click.confirm(question, abort=True, err=True)
        step = partial(store.prune_archive, age_seconds, batch)
        deleted = history.in_batches(step, total, "deleting")
    if options.json:
        print_json({"due": total, "deleted": deleted})
    else:
        click.echo(f"deleted {history.incidents(deleted, 'archived')}")
