"""`opssage up`."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import click

from cli import first_tokens, prefix, receiver, running, stack, supervisor
from cli.exits import CommandError, Exit
from cli.options import Options, messages, pass_options, takes
from cli.stack import Plan
from opssage import settings
from opssage.errors import StoreUnavailableError
from opssage.settings import BrokerSettings, Settings
from tasks.collect import source_faults

_PORT = click.IntRange(1, 65535)
_BROKER_VARIABLE = "OPSSAGE_BROKER_URL"


@click.command()
@click.option("--port", type=_PORT, help="Port of the API (default: web.port of the settings).")
@click.option("--flower-port", type=_PORT, default=5555, show_default=True, help="Port of Flower.")
@click.option("--postgres", is_flag=True, help="Bring PostgreSQL along instead of SQLite.")
@takes("config", "data")
@pass_options
def up(options: Options, port: int | None, flower_port: int, *, postgres: bool) -> None:
    """Run the whole service in the foreground until Ctrl-C.

    Brings along what is not configured: a broker, and a database in the data folder.
    """
    configured = options.settings()
    web = replace(configured.web, port=port or configured.web.port)
    configured = replace(configured, web=web)
    folder = (options.data or configured.folder / "data").absolute()
    stack.check_ports(web.host, web.port, flower_port)
    with running.claimed(folder):
        own_broker = not names_a_broker(configured, options.config)
        plan = replace(
            _plan(configured, folder, postgres=postgres, own_broker=own_broker),
            flower_port=flower_port,
            env=_environment(options, configured),
        )
        effective = _effective(options, plan)
        if configured.database.url is not None:
            stack.check_database(effective)
        if not own_broker:
            stack.check_broker(effective)
        for fault in source_faults(effective):
            messages.print(f"never asked until it is mended: {fault}", soft_wrap=True, markup=False)
        asyncio.run(_run(plan, effective))


def names_a_broker(configured: Settings, config: Path | None) -> bool:
    """Say whether environment or file chose the broker that is configured."""
    if os.environ.get(_BROKER_VARIABLE) or configured.broker.url != BrokerSettings().url:
        return True
    # The default address. A file that has it for good chose it: the variable cannot change it.
    other = "redis://other:6379/0"
    found = settings.load(config, {**os.environ, _BROKER_VARIABLE: other})
    return found.broker.url != other


def _plan(configured: Settings, data: Path, *, postgres: bool, own_broker: bool) -> Plan:
    """Return what to run: what is configured, and embedded servers for what is not."""
    embedded = []
    broker_url, database_url = configured.broker.url, configured.database.url
    if own_broker:
        broker_url, service = stack.embedded_broker(data)
        embedded.append(service)
    if postgres:
        if database_url is not None:
            raise CommandError("--postgres excludes a configured database.url", Exit.USAGE)
        database_url, service = stack.embedded_postgres(data)
        embedded.append(service)
    return Plan(
        data=data,
        host=configured.web.host,
        port=configured.web.port,
        database_url=database_url or f"sqlite:///{running.database_file(data)}",
        broker_url=broker_url,
        embedded=tuple(embedded),
    )


def _environment(options: Options, configured: Settings) -> dict[str, str]:
    env = {}
    if options.config is not None:
        env["OPSSAGE_CONFIG"] = str(options.config.absolute())
    if configured.logging.format == "auto" and messages.is_terminal:
        env["OPSSAGE_LOG_FORMAT"] = "console"  # our processes write to a pipe and cannot know
    return env


def _effective(options: Options, plan: Plan) -> Settings:
    """Return the settings as our processes will read them.

    Raises CommandError when the configuration file fixes what has to be another value.
    """
    found = settings.load(options.config, {**os.environ, **plan.environment()})
    for key, wanted, actual, name in (
        ("database.url", plan.database_url, found.database.url, "DATABASE_URL"),
        ("broker.url", plan.broker_url, found.broker.url, _BROKER_VARIABLE),
        ("web.port", plan.port, found.web.port, "OPSSAGE_PORT"),
    ):
        if wanted != actual:
            raise CommandError(
                f"{key} is fixed to {actual!r} in the configuration file; write ${{{name}}} "
                "there, so that `opssage up` can choose",
                Exit.CONFIG,
            )
    return found


async def _run(plan: Plan, effective: Settings) -> None:
    services = stack.services(plan)
    say = prefix.printer((service.name for service in services), messages)
    try:
        async with supervisor.running(services, say) as started:
            running.announce(plan.data, announced(plan, effective))
            click.echo(_banner(plan, effective))
            await asyncio.to_thread(_tell_first_tokens, effective)
            await started.until_stopped()
    except supervisor.StoppedError:
        messages.print("stopped before it was ready")


def announced(plan: Plan, effective: Settings) -> dict[str, str]:
    """Return what other commands have to know, whatever their own environment says."""
    # `open` would contradict a token that somebody has in the environment to call with
    mode = {"OPSSAGE_AUTH_MODE": "token"} if effective.auth.mode == "token" else {}
    return {**plan.environment(), **mode}


def _tell_first_tokens(effective: Settings) -> None:
    """Show a new database's tokens here alone: what the services say may be kept for long."""
    try:
        made = first_tokens.make(effective)
    except StoreUnavailableError as error:
        messages.print(f"no first tokens: {error}; see `opssage token create`", markup=False)
        return
    if made:
        messages.print(f"\n{first_tokens.told(made, effective)}\n", soft_wrap=True, markup=False)


def _banner(plan: Plan, effective: Settings) -> str:
    address = effective.web.base_url
    return "\n".join(
        (
            "",
            "OpsSage is ready.",
            f"  incidents  {address}/api/v1/incidents",
            f"  API docs   {address}/api/docs",
            f"  Flower     http://127.0.0.1:{plan.flower_port}",
            f"  data       {plan.data}",
            "",
            "Alertmanager sends here with this in alertmanager.yml:",
            "",
            receiver.block(effective),
        )
    )
