"""How a command ends, for scripts: the exit codes and the errors that carry them."""

from enum import IntEnum
from pathlib import Path

from opssage.errors import OpsSageError, SettingsError, StoreUnavailableError


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 3  #: the configuration has faults
    UNREACHABLE = 4  #: a service or source does not answer
    NOT_FOUND = 5
    AUTH = 6
    TIMEOUT = 7
    INCONCLUSIVE = 10  #: diagnosed, and the evidence is not enough for a cause


class CommandError(OpsSageError):
    """The command cannot do what it was asked for."""

    def __init__(self, message: str, code: Exit = Exit.FAILURE) -> None:
        """Take what went wrong, with the way out of it, and how the command ends."""
        super().__init__(message)
        self.code = code


def no_database(file: Path) -> CommandError:
    """Return the error of a command that would work on a database that is not there."""
    return CommandError(
        f"there is no database {file}: see DATABASE_URL, or name the folder of `opssage up` with "
        "--data",
        Exit.NOT_FOUND,
    )


_CODES: tuple[tuple[type[OpsSageError], Exit], ...] = (
    (SettingsError, Exit.CONFIG),
    (StoreUnavailableError, Exit.UNREACHABLE),
)


def code_of(error: OpsSageError) -> Exit:
    """Return how a command ends that meets `error`."""
    if isinstance(error, CommandError):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.FAILURE)
