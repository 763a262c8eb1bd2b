"""The options that every command takes, before or after its name."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import orjson
from rich.console import Console

from cli import running
from cli.exits import CommandError, Exit
from opssage import settings
from opssage.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Options:
    """What the shared options said, and what follows from them."""

    config: Path | None = None
    url: str | None = None
    token: str | None = None
    data: Path | None = None
    json: bool = False

    def settings(self) -> Settings:
        """Load the settings. Raises SettingsError with all faults."""
        return settings.load(self.config)

    def running_settings(self) -> Settings:
        """Load the settings as an `opssage up` runs with them, when one does beside them.

        Raises CommandError when a data folder was named and none runs on it.
        """
        if self.data is not None:
            return settings.load(self.config, {**os.environ, **self._found_on(self.data)})
        chosen = self.settings()
        beside = running.environment(chosen.folder / "data")
        return settings.load(self.config, {**beside, **os.environ}) if beside else chosen

    def database_settings(self) -> Settings:
        """Load the settings to work on the database itself, which an `opssage up` may have left.

        Raises CommandError when a data folder was named, none runs on it, and no file is in it.
        """
        if self.data is not None and not running.environment(self.data):
            file = running.database_file(self.data)
            if file.exists():
                return settings.load(
                    self.config, {**os.environ, "DATABASE_URL": f"sqlite:///{file}"}
                )
        return self.running_settings()

    def _found_on(self, data: Path) -> dict[str, str]:
        if found := running.environment(data):
            return found
        raise CommandError(f"no `opssage up` of yours is ready on {data}", Exit.UNREACHABLE)

    def address(self) -> tuple[str, str | None]:
        """Return where OpsSage answers and the token for it; settings fill in what is not given."""
        if self.url is not None and self.token is not None:
            return self.url, self.token
        configured = self.running_settings()
        return self.url or configured.web.base_url, self.token or configured.auth.token


_SHARED: dict[str, dict[str, Any]] = {
    "config": {
        "type": click.Path(exists=True, dir_okay=False, path_type=Path),
        "help": "The configuration file (default: $OPSSAGE_CONFIG or ./config.yaml).",
    },
    "url": {"metavar": "URL", "help": "Where OpsSage answers (default: from the settings)."},
    "token": {"metavar": "TOKEN", "help": "The API token (default: from the settings)."},
    "data": {
        "type": click.Path(file_okay=False, path_type=Path),
        "metavar": "DIR",
        "help": "The folder `opssage up` keeps its data in (default: data beside the "
        "configuration).",
    },
    "json": {"is_flag": True, "help": "Answer in JSON on stdout."},
}


def takes(*names: str) -> Callable[[F], F]:
    """Add shared options to a command or group; they arrive in its Options."""

    def add(command: F) -> F:
        for name in reversed(names):
            option = click.option(f"--{name}", expose_value=False, callback=_keep, **_SHARED[name])
            command = option(command)
        return command

    return add


def _id(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError as error:
        told = f"{value!r} is not the id of an incident: `opssage incidents` lists them"
        raise click.BadParameter(told) from error


takes_incident = click.argument("incident_id", callback=_id)
"""Adds the id of an incident to a command; what is none is not asked for."""


def waits(seconds: float) -> Callable[[F], F]:
    """Add --timeout to a command that waits for a diagnosis; it arrives as `timeout`."""
    return click.option(
        "--timeout",
        default=seconds,
        show_default=True,
        type=click.FloatRange(min=0),
        help="Seconds to wait before giving up with 7.",
    )


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    options = context.ensure_object(Options)
    if value and parameter.name is not None:
        setattr(options, parameter.name, value)


pass_options = click.make_pass_decorator(Options, ensure=True)

messages = Console(stderr=True, highlight=False)
"""Where messages and progress go; data goes to stdout."""


def print_json(value: Any) -> None:
    """Write a JSON document to stdout."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
