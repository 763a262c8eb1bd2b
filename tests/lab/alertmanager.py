"""A real Alertmanager from Debian's package, on loopback."""

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults.processes import Process
from lab.answering import answers

from cli import ports
from cli.child import Command

# compiled into Debian's binary, which does not start without it
_TEMPLATES = Path("/usr/share/prometheus/alertmanager")

# what takes minutes by default takes seconds here; a notification is tried for 10 s at least
_ROUTE = {
    "receiver": "opssage",
    "group_by": ["cluster", "namespace"],
    "group_wait": "1s",
    "group_interval": "5s",
    "repeat_interval": "5s",
}


@dataclass(frozen=True, kw_only=True)
class Alertmanager:
    """An Alertmanager and where it listens, before and after a restart."""

    url: str
    process: Process

    def add(self, **labels: str) -> None:
        """Have an alert fire, as amtool does, for five minutes."""
        self._post("/api/v2/alerts", [{"labels": labels}])

    def silence(self, comment: str, until: str, **patterns: str) -> str:
        """Silence the alerts with labels that match the patterns; returns the silence's id."""
        matchers = [
            {"name": name, "value": text, "isRegex": True} for name, text in patterns.items()
        ]
        document = {"matchers": matchers, "createdBy": "ann", "comment": comment}
        times = {"startsAt": "2000-01-01T00:00:00Z", "endsAt": until}
        told = self._post("/api/v2/silences", {**document, **times})
        return str(json.loads(told)["silenceID"])

    def _post(self, path: str, document: Any) -> bytes:
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + path, json.dumps(document).encode(), headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return bytes(answer.read())


@contextmanager
def running(
    root: Path, folder: Path, webhook: str, http_config: Mapping[str, Any] | None = None
) -> Iterator[Alertmanager]:
    """Run an Alertmanager that sends to `webhook`; `templates` have to be in place."""
    folder.mkdir(exist_ok=True)
    config = folder / "alertmanager.yml"
    receiver = {"url": webhook, "send_resolved": True, "http_config": dict(http_config or {})}
    receivers = [{"name": "opssage", "webhook_configs": [receiver]}]
    config.write_text(yaml.safe_dump({"route": _ROUTE, "receivers": receivers}))
    port = ports.free()
    process = Process(
        name="alertmanager",
        command=Command(
            argv=(
                str(root / "usr" / "bin" / "prometheus-alertmanager"),
                f"--config.file={config}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            )
        ),
        ready=lambda _: answers(f"http://127.0.0.1:{port}/-/ready"),
        log=folder / "alertmanager.log",
    )
    try:
        process.start()
        yield Alertmanager(url=f"http://127.0.0.1:{port}", process=process)
    finally:
        process.end()


@contextmanager
def templates(root: Path) -> Iterator[None]:
    """Have the templates where the binary looks for them; skips where that cannot be."""
    if _TEMPLATES.exists():
        yield
        return
    if not os.access("/usr/share", os.W_OK):
        pytest.skip(f"needs to put Alertmanager's templates into {_TEMPLATES}")
    made = not _TEMPLATES.parent.exists()
    _TEMPLATES.parent.mkdir(exist_ok=True)
    _TEMPLATES.symlink_to(root / "usr/share/prometheus/alertmanager")
    try:
        yield
    finally:
        _TEMPLATES.unlink()
        if made:
            _TEMPLATES.parent.rmdir()
