import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cli import supervisor
from cli.child import ChildError, Command
from cli.service import Service

CHILD = """
import pathlib, signal, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def end(*_):
    with (folder / "ends").open("a") as file: file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with (folder / "starts").open("a") as file: file.write(name + "\\n")
print(name, "runs", flush=True)
(folder / f"{name}.pid").write_text(str(__import__("os").getpid()))
time.sleep(60)
"""

PARENT = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[2])
from test_supervisor import service
from cli import supervisor
folder = pathlib.Path(sys.argv[1])
async def main():
    services = [service(folder, "one", code=sys.argv[3]), service(folder, "two", after=("one",))]
    async with supervisor.running(services, lambda name, line: None) as stack:
        (folder / "up").touch()
        await stack.until_stopped()
asyncio.run(main())
"""

STUBBORN = CHILD.replace("signal.SIGTERM, end", "signal.SIGTERM, signal.SIG_IGN")


def service(folder, name, *, after=(), code=CHILD):
    """Return a service that leaves traces of its life in `folder`."""
    return Service(
        name=name,
        command=Command(argv=(sys.executable, "-S", "-c", code, name, str(folder))),
        ready=(folder / f"{name}.pid").exists,
        after=after,
    )


def run(services, said=None, work=None):
    """Run the stack in this process until `work` is done."""

    async def main():
        lines = [] if said is None else said
        async with supervisor.running(services, lambda *line: lines.append(line)) as stack:
            await stack.until_done(work() if work else asyncio.sleep(0))

    asyncio.run(main())


def lines(file):
    return file.read_text().split() if file.exists() else []


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_running(pid):
    """Say whether the process exists and is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def parent(tmp_path):
    """Start a process of its own that supervises two services; `parent(code)` returns it."""
    started = []

    def start(code=CHILD):
        here = str(Path(__file__).parent)
        process = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), here, code])
        started.append(process)
        wait_for((tmp_path / "up").exists)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_supervisor_starts_a_service_after_those_it_needs(tmp_path):
    """The order of the list does not matter, `after` does."""
    two = service(tmp_path, "two", after=("one",))

    run([two, service(tmp_path, "one")])

    assert lines(tmp_path / "starts") == ["one", "two"]


def test_supervisor_stops_a_service_after_those_that_need_it(tmp_path):
    """What started last ends first."""
    run([service(tmp_path, "one"), service(tmp_path, "two", after=("one",))])

    assert lines(tmp_path / "ends") == ["two", "one"]


def test_supervisor_passes_output_on_line_by_line(tmp_path):
    """Each line carries the service's name; a last line without an end counts too."""
    said = []
    code = CHILD.replace('print(name, "runs"', 'print("1\\n2", end=""')

    run([service(tmp_path, "one", code=code)], said)

    assert said == [("one", "1"), ("one", "2")]


def test_supervisor_restarts_a_service_that_ends(tmp_path):
    """A killed service comes back, and the message says how it ended."""
    said = []

    async def kill_it():
        os.kill(int((tmp_path / "one.pid").read_text()), signal.SIGKILL)
        while len(lines(tmp_path / "starts")) < 2:  # noqa: ASYNC110 (another process writes it)
            await asyncio.sleep(0.02)

    run([service(tmp_path, "one")], said, kill_it)

    assert ("one", "killed by SIGKILL: starting it again") in said


def test_supervisor_gives_up_on_a_service_that_keeps_ending(tmp_path):
    """The error names the service and its last lines; the rest of the stack is stopped."""
    code = CHILD.replace("time.sleep(60)", "time.sleep(0.5); sys.exit('out of luck')")
    failing = replace(service(tmp_path, "two", after=("one",), code=code), restarts=1)

    with pytest.raises(ChildError, match=r"two ended with 1, too often[^$]*out of luck"):
        run([service(tmp_path, "one"), failing], work=lambda: asyncio.sleep(60))

    assert lines(tmp_path / "starts") == ["one", "two", "two"]
    assert lines(tmp_path / "ends") == ["one"]


def test_supervisor_does_not_retry_a_service_that_never_was_ready(tmp_path):
    """A wrong setting is told at once, not after five restarts."""
    failing = service(tmp_path, "one", code="import sys; sys.exit('no such table')")

    with pytest.raises(ChildError, match=r"one ended with 1 before it was ready[^$]*no such table"):
        run([failing])


def test_supervisor_says_when_a_service_is_not_ready_in_time(tmp_path):
    """A service that starts but never answers is given up."""
    silent = replace(service(tmp_path, "one"), ready=lambda: False, ready_seconds=0.3)

    with pytest.raises(ChildError, match=r"not ready within 0.3 seconds"):
        run([silent])


def test_supervisor_says_when_a_program_is_missing(tmp_path):
    """A command that cannot be started at all is named."""
    missing = replace(service(tmp_path, "one"), command=Command(argv=("/nowhere/valkey",)))

    with pytest.raises(ChildError, match=r"one cannot be started: .*/nowhere/valkey"):
        run([missing])


def test_supervisor_stops_in_order_on_sigterm(tmp_path, parent):
    """One signal is an orderly end."""
    process = parent()

    process.terminate()

    assert process.wait(20) == 0
    assert lines(tmp_path / "ends") == ["two", "one"]


def test_supervisor_kills_on_the_second_signal(tmp_path, parent):
    """A service that ignores the first signal does not hold up the second."""
    process = parent(STUBBORN)

    process.terminate()
    wait_for(lambda: lines(tmp_path / "ends") == ["two"])
    process.terminate()

    assert process.wait(20) == 0
    assert not is_running((tmp_path / "one.pid").read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's death")
def test_services_die_with_a_killed_supervisor(tmp_path, parent):
    """SIGKILL gives no time to stop anything, yet nothing is left."""
    process = parent(STUBBORN)
    pids = [(tmp_path / f"{name}.pid").read_text() for name in ("one", "two")]

    process.kill()

    wait_for(lambda: not any(map(is_running, pids)))
