"""Notify: who is told of an incident, what, and how it gets there. Imports `opssage` alone."""

from tasks.notify.matching import matches
from tasks.notify.message import Message, message, trial
from tasks.notify.sender import AppriseSender, NotSentError, Sender, UnusableTargetError, unusable

__all__ = [
    "AppriseSender",
    "Message",
    "NotSentError",
    "Sender",
    "UnusableTargetError",
    "matches",
    "message",
    "trial",
    "unusable",
]
