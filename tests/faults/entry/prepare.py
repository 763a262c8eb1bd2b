"""What the entries do before the product starts: install failpoints, shorten one time."""

import ctypes
import os
import signal
from typing import Any

from faults import failpoints

from worker import options

VISIBILITY = "FAULTS_VISIBILITY_SECONDS"
"""Environment variable: the visibility timeout, which is no setting of the product."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def prepare() -> None:
    """Make this process one that a test can break."""
    failpoints.install()
    if seconds := os.environ.get(VISIBILITY):
        _shorten(int(seconds))


def _shorten(seconds: int) -> None:
    for transport in (options._TRANSPORT, options._HASTY_TRANSPORT):
        transport["visibility_timeout"] = seconds
        transport["unacked_restore_interval"] = 1
    options._FIXED["visibility_timeout"] = seconds
    options._FIXED["result_backend_transport_options"] = {"visibility_timeout": seconds}


def die_with_parent(**_: Any) -> None:
    """Let the kernel end this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
