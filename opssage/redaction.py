"""Secrets out of text and JSON, before anything is stored, logged or sent.

Works by shape: unknown shapes of secrets pass. A masked secret keeps a short hash and its
length, so that two places that held the same one can still be told.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_MASK = r"\[redacted:[0-9a-f]{4}:\d+\]"
_MASKED = re.compile(f"({_MASK})")
_MAX_ROUNDS = 8
"""What is not done by then was made to take long: of an honest text the third finds nothing."""

# What a secret is called. The list follows the defaults of Sentry's data scrubber
# (docs.sentry.io, "Server-Side Data Scrubbing"; sentry_sdk.scrubber.DEFAULT_DENYLIST).
_NAMED = (
    r"(?:pass(?:word|wd|phrase|code)|(?<=_)pass|secret|token|credentials?|[cx]srf"
    r"|(?:api|access|account|private|secret|auth|signing|encryption)[_-]?key"
    r"|session[_-]?(?:id|key)|(?<![a-z])pwd)"
)
_NAMED_KEY = re.compile(rf"(?:{_NAMED}|authorization|cookie|bearer)$")

_UNLESS_PLACEHOLDER = (
    r"(?!(?:null|none|nil|undefined|true|false|\*+|\$\{\w{1,64}\}|<[\w-]{1,64}>)"
    r"(?:[\"'\\\s,;)}\]]|$))"
)
# A closing mark belongs to an unquoted value only when the value goes on behind it.
_UNQUOTED = (
    r"(?:(?!\\[\"'])[^\s\"'&,;)}\]]"
    r"|[,;)}\]](?![\s,;)}\]]|$|[\w.-]{1,40}[=:]))+"
)
# JSON in JSON escapes its marks, once more with each level
_QUOTE = r"\\{0,7}[\"']"
_SAYS = rf"(?:{_QUOTE})?\s{{0,2}}[:=]\s{{0,2}}(?:{_QUOTE})?"
_VALUE = (
    rf"(?P<q>{_QUOTE})?{_UNLESS_PLACEHOLDER}"
    rf"(?P<secret>(?(q)(?:(?!(?P=q))(?:\\.|[^\r\n]))+|{_UNQUOTED}))"
)
_END_OF_LINE = r"(?=[ \t]{0,8}(?:[\r\n]|\Z))"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """A shape of secret. The group `secret` of the pattern is what gets masked.

    What must match behind a repetition bounds it; an unbounded one either ends its pattern or
    starts at one place only. What is known by how its first word begins is masked to the end of
    that word, since its rest would begin a word. That keeps the time linear in the length of the
    text.
    """

    needles: tuple[str, ...]  #: lower case; text with none of them is not searched
    pattern: re.Pattern[str]


def _shape(*needles: str, pattern: str, flags: int = re.IGNORECASE) -> _Shape:
    return _Shape(needles=needles, pattern=re.compile(pattern, flags))


_NAMES = ("pass", "secret", "token", "credential", "srf", "key", "session", "pwd")

_SHAPES: tuple[_Shape, ...] = (
    # PEM private keys, also cut off or with escaped line ends
    _shape(
        "private key-----",
        pattern=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?P<secret>(?:[^-]|-(?!----))+)",
    ),
    # the password of a URL; the user name and the host stay readable. A web address may have
    # an @ in its path, a connection string may have anything in its password.
    _shape(
        "http",
        pattern=r"https?://[^\s/:@\"'<>]{0,128}:(?P<secret>[^\s/\"'<>]{1,512}(?=@)"
        r"|(?!\d{1,5}(?:[/?#\s]|$))[^\s@\"'<>]{1,512}(?=@))",
    ),
    _shape(
        "://",
        pattern=r"(?<!http)(?<!https)://[^\s/:@\"'<>]{0,128}:"
        r"(?P<secret>(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]{1,512}(?=@))",
    ),
    _shape("sig", pattern=r"(?:x-amz-signature|[?&]sig)=(?P<secret>[^\s&\"']+)"),
    # the header with its scheme
    _shape(
        "authorization",
        pattern=rf"authorization{_SAYS}"
        r"(?:basic|bearer|token|apikey|negotiate)\s{1,3}(?P<secret>[^\s\"'\\,;]+)",
    ),
    _shape(
        "authorization",
        pattern=rf"authorization{_SAYS}"
        r"(?:digest|aws4-hmac-sha256)\s{1,3}(?P<secret>[^\r\n]+)",
    ),
    # the header with bare credentials
    _shape(
        "authorization",
        pattern=rf"authorization{_SAYS}"
        r"(?P<secret>(?=[^\s\"',;]{0,256}\d)[^\s\"'\\,;]{16,})",
    ),
    # bearer and basic credentials on their own: a word of letters alone is prose
    _shape(
        "bearer",
        pattern=r"\bbearer\s{1,3}(?P<secret>(?=\S{0,256}\d|\S{24})[\w.~+/=-]{8,})",
    ),
    _shape(
        "basic",
        pattern=r"\b(?i:basic)\s{1,3}(?P<secret>(?=\S{0,256}(?:[0-9=]|[a-z][A-Z]))"
        r"[A-Za-z0-9+/]{8,}={0,2})",
        flags=0,
    ),
    _shape(
        "cookie",
        pattern=rf"cookie{_SAYS}"
        r"(?P<secret>[^\s=;\"',]{1,256}=[^\s;\"',]{0,4096}"
        r"(?:; ?[^\s=;\"',]{1,256}=[^\s;\"',]{0,4096}){0,64})",
    ),
    # name=value, "name": "value", name:value
    _shape(
        *_NAMES,
        pattern=rf"{_NAMED}"
        rf"(?:(?:{_QUOTE})?\s{{0,2}}=>?\s{{0,2}}|{_QUOTE}\s{{0,2}}:\s{{0,2}}|:){_VALUE}",
    ),
    # name: value in free text, where a plain word is prose ("invalid token: expired at …")
    _shape(
        *_NAMES,
        pattern=rf"{_NAMED}:[ \t]{{1,4}}(?:{_QUOTE})?{_UNLESS_PLACEHOLDER}(?P<secret>"
        r"(?=\S{0,256}?(?:\d|(?-i:[a-z][A-Z])|[!@#$%^&*+=?~]))[^\s\"',;\\]{6,}"
        r"|(?!(?:expired|invalid|missing|required|incorrect|rejected|revoked|denied|empty|unknown"
        r"|malformed|mismatch|failed|unauthorized|forbidden)\b)"
        rf"[^\s\"',;:\\]{{4,4096}}{_END_OF_LINE})",
    ),
    # --password value
    _shape(
        "--",
        pattern=rf"--(?:[a-z]{{1,20}}-){{0,3}}{_NAMED}\s{{1,3}}{_UNLESS_PLACEHOLDER}"
        r"(?P<secret>(?!-)[^\s\"']+)",
    ),
    # tokens known by their look
    _shape(
        "eyj",
        pattern=r"(?<![\w-])(?P<secret>eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?)",
        flags=0,
    ),
    _shape(
        "akia", "asia", pattern=r"(?<![A-Z0-9])(?P<secret>A[KS]IA[A-Z0-9]{16})(?![A-Z0-9])", flags=0
    ),
    _shape(
        "gh",
        "github_pat_",
        "glpat-",
        pattern=r"(?<!\w)(?P<secret>(?:gh[opsru]_|github_pat_|glpat-)[\w-]{20,})",
        flags=0,
    ),
    # services whose tokens begin with a word of their own
    _shape(
        *("k_live_", "k_test_", "sk-proj-", "npm_", "pypi-", "hvs.", "hvb.", "glsa_", "shpat_"),
        *("dp.pt.", "dp.st.", "dp.ct.", "dop_v1_", "doo_v1_", "dor_v1_", "ya29.", "xapp-"),
        pattern=r"(?<![\w-])(?P<secret>(?:[srp]k_(?:live|test)_|sk-proj-|npm_|pypi-|hv[sb]\.|glsa_"
        r"|shpat_|dp\.[psc]t\.|do[opr]_v1_|ya29\.|xapp-)[\w.-]{16,})",
        flags=0,
    ),
    _shape("aiza", pattern=r"(?<![\w-])(?P<secret>AIza[\w-]{30,})", flags=0),
    _shape("sg.", pattern=r"(?<![\w-])(?P<secret>SG\.[\w-]{16,64}\.[\w-]{16,})", flags=0),
    _shape("sk", pattern=r"(?<!\w)(?P<secret>SK[0-9a-f]{32})(?!\w)", flags=0),
    _shape(":aa", pattern=r"(?<!\d)\d{8,10}:(?P<secret>AA[\w-]{32,36})(?![\w-])", flags=0),
    _shape(
        "/webhooks/", pattern=r"discord(?:app)?\.com/api/webhooks/\d{1,24}/(?P<secret>[\w-]{8,})"
    ),
    _shape("ops_", pattern=r"(?<![A-Za-z0-9])(?P<secret>ops_[a-z0-9]{8}_[0-9a-f]{16}\w*)", flags=0),
    _shape("xox", pattern=r"(?<!\w)(?P<secret>xox[abceoprs]-[\w-]{10,})", flags=0),
    _shape("hooks.slack.com", pattern=r"hooks\.slack\.com/services/(?P<secret>[\w/]{8,})"),
    _shape(
        "sk-",
        "sk_",
        pattern=r"(?<![\w-])(?P<secret>sk[-_](?=[\w-]{0,255}\d)[\w-]{16,})",
        flags=0,
    ),
)


def mask(secret: str) -> str:
    """Return what stands in for `secret`: `[redacted:7f3a:32]`, hash and length.

    A mask, and the empty text, are their own masks.
    """
    if not secret or _MASKED.fullmatch(secret):
        return secret
    digest = hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
    return f"[redacted:{digest[:4]}:{len(secret)}]"


def _masked_match(match: re.Match[str]) -> str:
    start, end = match.start("secret") - match.start(), match.end("secret") - match.start()
    return match[0][:start] + mask(match["secret"]) + match[0][end:]


# most texts hold none: one look instead of one for each needle
_ANY_NEEDLE = re.compile(
    "|".join(sorted(re.escape(needle) for shape in _SHAPES for needle in shape.needles))
)


def _pass(text: str) -> str:
    lower = text.lower()
    if not _ANY_NEEDLE.search(lower):
        return text
    for shape in _SHAPES:
        if any(needle in lower for needle in shape.needles):
            # Masks are cut out first, so that none becomes part of a secret.
            text = "".join(shape.pattern.sub(_masked_match, piece) for piece in _MASKED.split(text))
    return text


def redact_text(text: str) -> str:
    """Return `text` with everything that looks like a secret masked.

    Masking one secret may bring out another, so it repeats until nothing changes. Text that has
    too many of them in each other is masked as a whole. What comes out goes through again
    unchanged.
    """
    for _ in range(_MAX_ROUNDS):
        masked = _pass(text)
        if masked == text:
            return text
        text = masked
    return "".join(map(mask, _MASKED.split(text)))


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a value under this key is a secret: `DB_PASSWORD`, `apiKey`, `X-Auth-Token`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[ .]", "_", name)
    return bool(_NAMED_KEY.search(words.lower()))


def _redact_items(mapping: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    # {"name": "DB_PASSWORD", "value": …}, as Kubernetes lists environment variables
    named = mapping.get("name")
    hides_value = isinstance(named, str) and is_secret_name(named)
    for key, value in mapping.items():
        secret = (hides_value and key == "value") or (isinstance(key, str) and is_secret_name(key))
        yield redact_text(key) if isinstance(key, str) else key, _redact(value, secret=secret)


def _redact(value: Any, *, secret: bool) -> Any:
    if isinstance(value, str):
        return mask(value) if secret else redact_text(value)
    if isinstance(value, Mapping):
        return dict(_redact_items(value))
    if isinstance(value, list | tuple):
        return [_redact(item, secret=secret) for item in value]
    if secret and isinstance(value, int | float) and not isinstance(value, bool):
        return mask(str(value))
    return value


def redact(value: Any) -> Any:
    """Return a copy of a JSON tree without secrets: by the name of the key and by shape.

    A mapping under a secret name is judged by its own keys, since services and Kubernetes
    objects are called `token` or `secret` too. Tuples come back as lists; values that are not
    JSON come back as they are.
    """
    return _redact(value, secret=False)
