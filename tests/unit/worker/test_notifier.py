"""What the notifier says before it sends anything."""

from dataclasses import replace
from threading import Event as Flag

from structlog.testing import capture_logs

from opssage.settings import NotifySettings, NotifyTarget, load
from worker import notifier


def test_a_target_nobody_can_reach_is_told_at_the_start(store):
    """By its name: the URL holds a token. The others are none of its business."""
    targets = (
        NotifyTarget(name="chat", url="slack://hunter"),
        NotifyTarget(name="hook", url="json://127.0.0.1:9/path"),
    )
    settings = replace(load(environ={}), notify=NotifySettings(targets=targets))
    stop = Flag()
    stop.set()

    with capture_logs() as logged:
        notifier.start(store, settings, stop).join()

    told = [(line["event"], line["target"]) for line in logged if line["log_level"] == "error"]
    assert told == [("target_unusable", "chat")]
    assert "hunter" not in str(logged)
