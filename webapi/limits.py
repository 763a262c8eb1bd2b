"""How often one caller may ask. Alerts are never limited: a refused one may be lost."""

from time import time

from flask import Flask, Response, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from opssage.settings import WebSettings
from webapi.auth import PUBLIC, READS, caller
from webapi.problems import problem


class Limit:
    """So many a minute for each key, counted in this process."""

    def __init__(self, per_minute: int) -> None:
        """Take what a minute may bring."""
        self._item = RateLimitItemPerMinute(per_minute)
        self._windows = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, key: str) -> bool:
        """Count one; False when it is one too many."""
        return self._windows.hit(self._item, key)

    def headers(self, key: str) -> dict[str, str]:
        """Return what a refusal says: the limit, what is left of it, and when it starts anew."""
        reset_at, left = self._windows.get_window_stats(self._item, key)
        return {
            "Retry-After": str(max(1, round(reset_at - time()))),
            "X-RateLimit-Limit": str(self._item.amount),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(round(reset_at)),
        }


def register(app: Flask, settings: WebSettings) -> None:
    """Limit reads, by token where there is one, else by address. 0 is no limit."""
    if not settings.reads_per_minute:
        return
    limit = Limit(settings.reads_per_minute)

    @app.before_request
    def refuse_too_many() -> Response | None:
        if request.method not in READS or request.path in PUBLIC:
            return None
        key = caller().token_id or address()
        if limit.hit(key):
            return None
        answer = problem(
            429,
            "Too Many Requests",
            f"more than {settings.reads_per_minute} reads within a minute, which is "
            "web.reads_per_minute; ask less often, or raise it",
        )
        answer.headers.update(limit.headers(key))
        return answer


def address() -> str:
    """Return where the request comes from; behind a proxy that is the proxy."""
    return request.remote_addr or ""
