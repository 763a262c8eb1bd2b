"""A real Prometheus from Debian's package, filled with the samples of a recording."""

import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml
from faults.processes import Process
from lab.answering import answers

from cli import ports
from cli.child import Command
from cli.replay.series import NAME, Series


def unpacked(folder: Path, packages: Iterable[str], needed: Iterable[str]) -> Path:
    """Unpack Debian packages below a folder, without installing anything.

    Skips the test when the `needed` binaries cannot be had. A package that this release of Debian
    does not know is left out: promtool has one of its own in some.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("needs apt-get and dpkg for Debian's packages")
    for package in packages:
        fetch = ["apt-get", "-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run(fetch, cwd=folder, capture_output=True, check=False)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
    if missing := [name for name in needed if not (folder / "root/usr/bin" / name).exists()]:
        pytest.skip(f"apt-get cannot download {', '.join(missing)}")
    return folder / "root"


def open_metrics(series: Iterable[Series], start_ms: int, end_ms: int) -> Iterator[str]:
    """Return the lines of the samples between two times, as promtool reads them."""
    for each in series:
        pairs = ",".join(
            f"{name}={json.dumps(value)}" for name, value in each.labels.items() if name != NAME
        )
        head = f"{each.labels[NAME]}{{{pairs}}}"
        for moment, value in zip(each.times.tolist(), each.values.tolist(), strict=True):
            if start_ms <= moment <= end_ms:
                yield f"{head} {value!r} {moment // 1000}\n"
    yield "# EOF\n"


class RealPrometheus:
    """A Prometheus process, with given samples or without. Use it as a context manager."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Take the unpacked binaries and a folder for data."""
        self._bin, self._folder = root / "usr" / "bin", folder
        port = ports.free()
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process(
            name="prometheus",
            command=Command(
                argv=(
                    str(self._bin / "prometheus"),
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    "--storage.tsdb.retention.time=100y",
                    "--rules.alert.resend-delay=1s",  # the first send finds no Alertmanager yet
                    f"--web.listen-address=127.0.0.1:{port}",
                )
            ),
            ready=lambda _: answers(f"{self.url}/-/ready"),
            log=folder / "prometheus.log",
        )
        (folder / "prometheus.yml").write_text("{}\n")

    def load(self, lines: Iterable[str]) -> int:
        """Make storage blocks of OpenMetrics lines; returns how many samples were taken."""
        file = self._folder / "data.om"
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(lines)
        command = [self._bin / "promtool", "tsdb", "create-blocks-from", "openmetrics"]
        done = subprocess.run(
            [*command, "--max-block-duration=24h", file, self._folder / "tsdb"],
            capture_output=True,
            text=True,
            check=True,
        )
        file.unlink()
        rows = [line.split() for line in done.stdout.splitlines() if line[:2] == "01"]
        return sum(int(row[4]) for row in rows)

    def configure(self, rules: str, receiver_url: str, **http_config: Any) -> None:
        """Give it alerting rules and where to send what fires; `http_config` says how.

        A running one reads them anew.
        """
        (self._folder / "rules.yml").write_text(rules)
        target = receiver_url.removeprefix("http://")
        alertmanager = {"static_configs": [{"targets": [target]}], **http_config}
        config = {
            "global": {"evaluation_interval": "2s", "external_labels": {"cluster": "lab"}},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [alertmanager]},
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        if self.process.is_alive:
            self.process.signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        self.process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.process.end()


def ask(url: str, path: str, parameters: dict[str, str]) -> tuple[int, Any]:
    """Post a form and return the status and the JSON answer."""
    body = urllib.parse.urlencode(parameters).encode()
    try:
        with urllib.request.urlopen(f"{url}{path}", data=body, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
