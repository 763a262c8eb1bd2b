"""`opssage archive`."""

from functools import partial

import click

from cli import history
from cli.ages import AGE
from cli.options import Options, messages, pass_options, print_json, takes


@click.command()
@click.option(
    "--older-than",
    "age_seconds",
    required=True,
    type=AGE,
    help="How long ago an incident resolved, at least: 90d, 12h, 8w.",
)
@click.option(
    "--batch",
    default=500,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Incidents moved in one transaction.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many would move.")
@takes("config", "data", "json")
@pass_options
def archive(options: Options, age_seconds: float, batch: int, *, dry_run: bool) -> None:
    """Move incidents that are over, with their alerts and timelines, to the archive.

    Over is what is diagnosed or failed, resolved, and due for nothing more. Archived incidents are
    still found by id, and listed with --archived. May run beside everything else, be ended at any
    time, and be run again.
    """
    with history.opened(options) as store:
        total = store.count_archivable(age_seconds)
        step = partial(store.archive_incidents, age_seconds, batch)
        moved = 0 if dry_run else history.in_batches(step, total, "archiving")
    if options.json:
        print_json({"due": total, "archived": moved})
    elif dry_run:
        click.echo(f"{history.incidents(total)} would be archived")
    else:
        click.echo(f"archived {history.incidents(moved)}")
    if moved < total and not dry_run:
        messages.print(f"{history.incidents(total - moved)} changed meanwhile: run it again")
