"""`opssage backup`."""

from pathlib import Path

import click

from cli import backups
from cli.options import Options, pass_options, print_json, takes


@click.command()
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder of the backups; made when it is missing.",
)
@click.option(
    "--keep",
    default=7,
    show_default=True,
    type=click.IntRange(min=1),
    help="The newest backups to keep; older ones are deleted.",
)
@takes("config", "data", "json")
@pass_options
def backup(options: Options, folder: Path, keep: int) -> None:
    """Write the whole database to a new file in DIR, and print its path.

    By pg_dump in its custom format, or by SQLite's online backup; nothing has to stop for it. The
    file appears only when it is whole and has been read back.
    """
    made = backups.write(options.database_settings(), folder, keep)
    if options.json:
        print_json({"path": str(made), "bytes": made.stat().st_size})
    else:
        click.echo(made)
