"""`opssage demo`."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click
import orjson
import yaml

from cli import ports, progress, report, stack, supervisor
from cli.client import Client, Incident
from cli.exits import CommandError
from cli.options import Options, messages, pass_options, print_json, takes
from cli.output import Output
from cli.replay import recording, server
from cli.replay.recording import Recording
from cli.sending.posts import Form
from cli.service import Say
from cli.stack import Plan
from opssage.errors import OpsSageError

_DIAGNOSIS_SECONDS = 60.0
_LOG = "services.log"


@click.command()
@click.option(
    "--outage",
    "outages",
    multiple=True,
    type=click.Choice(recording.names()),
    help="Play only this outage; repeat for several.",
)
@click.option("--postgres", is_flag=True, help="Run on PostgreSQL instead of SQLite.")
@click.option("--keep", is_flag=True, help="Keep the service running afterwards, until Ctrl-C.")
@takes("json")
@pass_options
def demo(options: Options, outages: tuple[str, ...], *, postgres: bool, keep: bool) -> None:
    """Run the whole service on recorded outages and print their diagnoses.

    Everything lives on free ports and in a temporary folder; nothing is left of it.
    """
    played = [recording.load(name) for name in outages or recording.names()]
    try:
        with _folder() as data:
            source_port = ports.free()
            plan = _plan(data, source_port, postgres=postgres)
            found = asyncio.run(_run(plan, played, source_port, keep=keep, as_json=options.json))
            if any(incident["status"] != "completed" for incident in found):
                raise CommandError("not every outage was diagnosed")
    except supervisor.StoppedError:
        raise CommandError("stopped before the end") from None


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for one demo; what the services said stays when the demo fails."""
    folder = Path(tempfile.mkdtemp(prefix="opssage-demo-"))
    folder.chmod(0o711)  # the account that runs PostgreSQL for root has to pass through
    failed = False
    try:
        yield folder
    except OpsSageError:
        failed = True
        messages.print(f"what the services said: {folder / _LOG}", soft_wrap=True)
        raise
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


def _plan(data: Path, source_port: int, *, postgres: bool) -> Plan:
    """Return a stack that takes nothing from the user's own configuration or environment."""
    config = data / "config.yaml"
    url = f"http://127.0.0.1:{source_port}"
    source = {"url": url, "bearer_token": None}
    cluster = data / "kubeconfig"
    cluster.write_text(yaml.safe_dump(_kubeconfig(url)))
    document = {
        "web": {"processes": 1, "public_url": None},
        "auth": {"mode": "open", "token": None},
        "logging": {"level": "info", "format": "json"},
        # One outage after the other is behind the same address: what one has the next may lack.
        "collect": {"memory_seconds": 0},
        "sources": {
            "prometheus": source,
            "alertmanager": source,
            "kubernetes": {"config": str(cluster)},
            "loki": source,
        },
        "enrich": {"runbooks": str(Path("runbooks").absolute())},
    }
    config.write_text(yaml.safe_dump(document))
    broker_url, broker = stack.embedded_broker(data)
    database_url, database = f"sqlite:///{data / 'opssage.db'}", None
    if postgres:
        database_url, database = stack.embedded_postgres(data)
    return Plan(
        data=data,
        host="127.0.0.1",
        port=ports.free(),
        flower_port=ports.free(),
        database_url=database_url,
        broker_url=broker_url,
        embedded=(broker,) if database is None else (broker, database),
        env={"OPSSAGE_CONFIG": str(config)},
    )


def _kubeconfig(url: str) -> dict[str, object]:
    """Return the way to an API server that asks for no credentials."""
    name = "outage"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


async def _run(
    plan: Plan, played: Sequence[Recording], source_port: int, *, keep: bool, as_json: bool
) -> list[Incident]:
    services = stack.services(plan)
    with (plan.data / _LOG).open("w") as log, ExitStack() as starting, ExitStack() as sources:
        starting.enter_context(messages.status("starting the service"))
        async with supervisor.running(services, _writer(log)) as running:
            starting.close()
            messages.print(f"the service runs: {', '.join(each.name for each in services)}")
            console = Output(quiet=as_json)
            playing = asyncio.to_thread(_play, plan, played, source_port, console, sources)
            found = await running.until_done(playing)
            if as_json:
                print_json(found)
            if keep:
                messages.print(_kept(plan, played), markup=False, soft_wrap=True)
                await running.until_stopped()
            else:
                messages.print("\nthe service ends, and its addresses; --keep leaves it running")
    return found


def _writer(log: TextIO) -> Say:
    def say(name: str, line: str) -> None:
        log.write(f"{name} | {line}\n")
        log.flush()

    return say


def _play(
    plan: Plan,
    played: Sequence[Recording],
    source_port: int,
    console: Output,
    sources: ExitStack,
) -> list[Incident]:
    """Play one outage after the other; each is all that the sources know of.

    The last one is served until `sources` is closed.
    """
    found = []
    with Client(f"http://127.0.0.1:{plan.port}") as client:
        for number, outage in enumerate(played, 1):
            messages.print(f"\n[{number}/{len(played)}] {outage.title}", markup=False)
            for incident in _diagnosed(client, outage, source_port, sources):
                address = client.page_of(incident["incident_id"])
                report.show(incident, address, console, brief=True)
                found.append(incident)
    return found


def _diagnosed(
    client: Client, outage: Recording, source_port: int, sources: ExitStack
) -> list[Incident]:
    """Serve the outage, send its alerts as Alertmanager would, and wait for the diagnosis."""
    sources.close()
    now = datetime.now(UTC)
    served = server.serve(outage, port=source_port, now=now)
    sources.callback(served.stop)
    webhook = orjson.dumps(outage.webhook(now, served.url))
    receipt = client.send(Form.ALERTMANAGER.path, webhook)
    started = progress.known(*receipt["incidents"])
    return progress.follow(client, started, _DIAGNOSIS_SECONDS, messages)


def _kept(plan: Plan, played: Sequence[Recording]) -> str:
    gone = ", and no longer of the others: `opssage retry` finds nothing for these"
    return (
        f"\nthe service goes on until Ctrl-C:\n"
        f"  incidents  http://127.0.0.1:{plan.port}/api/v1/incidents\n"
        f"  API docs   http://127.0.0.1:{plan.port}/api/docs\n"
        f"  Flower     http://127.0.0.1:{plan.flower_port}\n"
        f"  sources    answer of the last outage{gone if len(played) > 1 else ''}"
    )
