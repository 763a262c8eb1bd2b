"""`opssage check-config`."""

import os
from pathlib import Path

import click
import yaml

from cli import notifying
from cli.exits import Exit
from cli.options import Options, messages, pass_options, print_json, takes
from opssage import settings
from opssage.errors import SettingsError
from opssage.settings import Settings
from tasks.collect import source_faults


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--show", is_flag=True, help="Show the settings in effect, without secrets.")
@takes("config", "json")
@pass_options
@click.pass_context
def check_config(
    context: click.Context, options: Options, file: Path | None, *, show: bool
) -> None:
    """Say all that is wrong with a configuration FILE (default: the one in use).

    The files that its sources name are read too: check it where the workers run.

    Exits with 3 when there is a fault.
    """
    try:
        found = _checked(settings.load(file or options.config))
    except SettingsError as error:
        if options.json:
            print_json({"ok": False, "faults": error.faults})
        else:
            for fault in error.faults:
                click.echo(fault)
        context.exit(Exit.CONFIG)
    shown = settings.describe(found)
    if options.json:
        print_json({"ok": True, "settings": shown})
    elif show:
        click.echo(yaml.safe_dump(shown, sort_keys=False), nl=False)
    else:
        messages.print(_praise(file or options.config), soft_wrap=True)


def _checked(found: Settings) -> Settings:
    """Return the settings. Raises SettingsError for what cannot be used outside of the file."""
    if faults := [*source_faults(found), *notifying.faults(found)]:
        raise SettingsError(faults)
    return found


def _praise(named: Path | None) -> str:
    file = named or Path(os.environ.get("OPSSAGE_CONFIG") or "config.yaml")
    if file.exists():
        return f"{file} is in order"
    return f"there is no {file.absolute()}; the defaults and the environment are in order"
