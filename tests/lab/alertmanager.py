"""A real Alertmanager from Debian's package, on loopback."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import ports

# compiled into Debian's binary, which does not start without it
_TEMPLATES = Path("/usr/share/prometheus/alertmanager")

_CONFIG = """
route:
  receiver: opssage
  group_by: [cluster, namespace]
  group_wait: 1s
  group_interval: 10s
receivers:
  - name: opssage
    webhook_configs:
      - url: {webhook}
        send_resolved: true
"""


@contextmanager
def running(root: Path, folder: Path, webhook: str) -> Iterator[str]:
    """Run an Alertmanager that sends to `webhook`; yields its URL.

    Skips the test when its templates cannot be put where the binary looks for them.
    """
    config = folder / "alertmanager.yml"
    config.write_text(_CONFIG.format(webhook=webhook))
    port = ports.free()
    with _templates(root), (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(
            [
                root / "usr" / "bin" / "prometheus-alertmanager",
                f"--config.file={config}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            _await(f"http://127.0.0.1:{port}/-/ready", folder / "alertmanager.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def _templates(root: Path) -> Iterator[None]:
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


def _await(url: str, log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(log.read_text()[-2000:])
