"""A real Prometheus from Debian's package, filled with the samples of a recording."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from cli import ports
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
    """A Prometheus process that holds given samples. Use it as a context manager."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Take the unpacked binaries and a folder for data."""
        self._bin, self._folder = root / "usr" / "bin", folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = ports.free()
        self._config = "{}\n"
        self.url = f"http://127.0.0.1:{self._port}"

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

    def configure(self, rules: str, alertmanager_url: str) -> None:
        """Give it alerting rules and where to send what fires, before it is started."""
        (self._folder / "rules.yml").write_text(rules)
        target = alertmanager_url.removeprefix("http://")
        self._config = (
            "global: {evaluation_interval: 2s, external_labels: {cluster: lab}}\n"
            "rule_files: [rules.yml]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{target}']}}]}}]}}\n"
        )

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        config = self._folder / "prometheus.yml"
        config.write_text(self._config)
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._bin / "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self._folder / 'tsdb'}",
                    "--storage.tsdb.retention.time=100y",
                    "--rules.alert.resend-delay=1s",  # the first send finds no Alertmanager yet
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError((self._folder / "prometheus.log").read_text()[-2000:])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)


def ask(url: str, path: str, parameters: dict[str, str]) -> tuple[int, Any]:
    """Post a form and return the status and the JSON answer."""
    body = urllib.parse.urlencode(parameters).encode()
    try:
        with urllib.request.urlopen(f"{url}{path}", data=body, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
