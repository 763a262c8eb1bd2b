"""`opssage up` as a person runs it: real processes, a data folder, ports of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from cli import ports

OPSSAGE = str(Path(sys.executable).with_name("opssage"))
RECORDED = Path(__file__).parent / "fixtures" / "alertmanager"

# quick hands: what takes 20 s by default takes 2 here
QUICK = """
web: {processes: 1}
worker: {lease_seconds: 2, heartbeat_seconds: 0.5, resend_seconds: 2, dispatch_seconds: 0.5}
"""


def until(told: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what `told` says as soon as it says something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := told():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"nothing came of {told} in {seconds} s")


@dataclass
class Stack:
    """A running `opssage up`."""

    process: subprocess.Popen[str]
    api: httpx2.Client
    flower: httpx2.Client

    def post_recorded(self, name: str) -> list[str]:
        """Send a webhook that a real Alertmanager sent; return its incidents' ids."""
        body = json.loads((RECORDED / f"{name}.json").read_text())["body"]
        answer = self.api.post("/api/v1/webhooks/alertmanager", json=body)
        assert answer.status_code == 202, answer.text
        return [item["incident_id"] for item in answer.json()["incidents"]]

    def incident(self, incident_id: str) -> dict[str, Any]:
        """Return an incident as the API shows it."""
        answer = self.api.get(f"/api/v1/incidents/{incident_id}")
        assert answer.status_code == 200
        return dict(answer.json())

    def completed(self, incident_id: str, seconds: float = 60) -> dict[str, Any]:
        """Poll until the incident is completed."""

        def told() -> dict[str, Any] | None:
            incident = self.incident(incident_id)
            assert incident["status"] != "failed", incident["last_error"]
            return incident if incident["status"] == "completed" else None

        return dict(until(told, seconds))

    def child(self, *words: str) -> int:
        """Return the id of the service whose command line holds these words."""
        for child in children(self.process.pid):
            line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if all(word in line for word in words):
                return child
        raise AssertionError(f"no service runs {words}")


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def descendants(pid: int) -> list[int]:
    """Return the ids of all that a process started, and what those started."""
    found = children(pid)
    return found + [inner for child in found for inner in descendants(child)]


def is_running(pid: int) -> bool:
    """Say whether a process is there and not only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def running_up(data: Path, *options: str, **env: str) -> Iterator[Stack]:
    """Run `opssage up` on a data folder for the length of the block."""
    port, flower_port = ports.free(), ports.free()
    with data.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            [
                *(OPSSAGE, "up", "--data", str(data)),
                *("--port", str(port), "--flower-port", str(flower_port), *options),
            ],
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    api = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
    flower = httpx2.Client(base_url=f"http://127.0.0.1:{flower_port}", timeout=10)
    try:
        _await_banner(process)
        yield Stack(process, api, flower)
    finally:
        api.close()
        flower.close()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


def _await_banner(process: subprocess.Popen[str]) -> None:
    for line in process.stdout:
        if line.startswith("OpsSage is ready"):
            return
    raise AssertionError(f"`opssage up` ended with {process.wait()}")
