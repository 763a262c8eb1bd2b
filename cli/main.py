"""The `opssage` command."""

from importlib import import_module
from typing import Any

import click

from cli.exits import code_of
from cli.options import takes
from cli.output import until_unread
from opssage import __version__
from opssage.errors import OpsSageError

_COMMANDS = {
    "up": "run the whole service on embedded defaults",
    "demo": "run it on recorded outages and print their diagnoses",
    "send": "send alerts from files in any form, and wait for their diagnosis",
    "incidents": "list incidents, newest first",
    "show": "show an incident and its diagnosis",
    "evidence": "show what was seen for an incident, and what was asked of whom",
    "watch": "follow an incident until it is diagnosed",
    "ack": "say that you look after an incident",
    "feedback": "say whether a diagnosis is right",
    "export": "write an incident and all it was diagnosed from to a file",
    "replay": "diagnose an exported incident again, offline, and compare",
    "retry": "diagnose an incident anew, or run a failed one on",
    "alerts": "list alerts that opened no incident",
    "change": "report a deploy, flag or configuration change, and list them",
    "kb": "keep, search and check what the team knows",
    "rejects": "list alerts that could not be taken, and take them after all",
    "token": "make, list and revoke the tokens of callers",
    "archive": "move incidents that are over out of the way",
    "prune": "delete archived incidents for good",
    "backup": "write the database to a file, and keep the last few",
    "check-config": "say all that is wrong with a configuration",
    "doctor": "check every part and say how to mend it",
    "coverage": "say what would be asked for the alerts of a file of rules",
}


class _Commands(click.Group):
    """The commands of cli/commands, each imported when it is called: some need half the stack."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"cli.commands.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's signature)
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with until_unread():
                return super().invoke(ctx)
        except OpsSageError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(code_of(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="opssage")
@takes("config", "data", "url", "token", "json")
def main() -> None:
    """Take an alert, look at metrics and logs, and answer with a cited diagnosis.

    Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 something does not answer,
    5 not found, 6 not allowed, 7 timeout, 10 diagnosed without a conclusion, 141 nobody reads
    stdout any more.
    """
