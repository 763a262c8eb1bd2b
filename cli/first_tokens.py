"""The tokens that the first `opssage up` on a database makes, and tells once."""

import store
from cli import person, receiver
from opssage.settings import Settings
from store import NewToken

_PURPOSES = {
    "admin": "for people: everything, at the API, the pages and `opssage --token`",
    "alertmanager": "for the sender, which reads nothing: put it into "
    f"{receiver.TOKEN_FILE}, for Alertmanager alone to read",
}
_RULE = "-" * 78
_WIDTH = max(map(len, _PURPOSES))


def make(settings: Settings) -> tuple[NewToken, ...]:
    """Make them where there is no way in by a token yet; nothing where there is or was one.

    Raises StoreUnavailableError.
    """
    if settings.auth.token is not None:
        return ()
    memory = store.connect(settings.database, settings.folder)
    try:
        return memory.create_first_tokens(person.actor())
    finally:
        memory.close()


def told(made: tuple[NewToken, ...], settings: Settings) -> str:
    """Return what a person reads of them, the tokens themselves too."""
    lines = [_RULE, "The first tokens of this database, shown this once:", ""]
    for token in made:
        lines += [
            f"  {token.kept.name:<{_WIDTH}}  {token.text}",
            f"  {'':<{_WIDTH}}  {_PURPOSES[token.kept.name]}",
        ]
    lines += ["", "Keep them, or make others later: `opssage token create`, and `revoke`."]
    if settings.auth.mode == "open":
        lines.append("They are not needed while auth.mode is open.")
    return "\n".join([*lines, _RULE])
