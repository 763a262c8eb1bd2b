"""Who runs a command, for what is remembered of it."""

import getpass
import os

from opssage.access import Actor


def actor() -> Actor:
    """Return the account on this machine that works on the database itself."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have them
        name = str(os.getuid())
    return Actor(name=f"cli:{name}")
