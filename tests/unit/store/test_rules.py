from pathlib import Path

from opssage.settings import NotifySettings, NotifyTarget, Settings
from store import Rules


def test_rules_name_the_targets_in_their_order():
    """What an ending owes is decided by the names alone: URLs stay out of the store."""
    targets = tuple(NotifyTarget(name=name, url="json://x") for name in ("mail", "chat"))

    rules = Rules.of(Settings(folder=Path(), notify=NotifySettings(targets=targets)))

    assert rules.notify == ("mail", "chat")
