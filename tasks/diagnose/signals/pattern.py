"""A row of the log table, and how its lines of text become regular expressions."""

import re
from dataclasses import dataclass
from functools import cache

_HOST = r"[A-Za-z][\w-]*(?:\.[\w-]+)*"

TOKENS = {
    # An environment variable. Without an underscore it could be a level such as ERROR.
    "@variable": r"(?P<variable>(?-i:[A-Z][A-Z0-9]*_[A-Z0-9_]+))",
    "@key": r"(?P<key>[A-Za-z_][\w.-]*)",
    "@host": rf"(?P<host>{_HOST})",
    "@image": r"(?P<image>[\w./:@-]+)",
    "@user": r"(?P<user>[\w:.@/-]+)",
    "@name": r"(?P<object>[\w.-]+)",
    "@path": r"(?P<object>/?[\w./-]+)",
    "@file": r"(?P<object>/?[\w./-]+\.(?:ya?ml|json|toml|ini|conf|cfg|properties|env|pem|crt))",
    "@quote": r"['\"`]?",
    # What tells a status such as 503 from a number of things: no digit, no unit after it.
    "@no_amount": r"\b(?!\.\d| ?(?:ms|s|sec\w*|[kM]?i?B|bytes|rows|items|records|results"
    r"|entries)\b)",
    "@status": r"(?:status(?:[ _]?code)?|code|HTTP(?:/[\d.]+)?|returned|responded(?: with)?|got"
    r"|error|response)\W{0,4}",
}
"""What stands for what in the table. A named group becomes a detail of the finding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """A row of the table: a line that one of its expressions finds is this signal."""

    signal: str
    says: str  #: one regular expression a line, case ignored; `+` continues the line above
    names_host: bool = False  #: look for the host the line speaks of
    about_host: bool = False  #: the complaint is about that host, not about the speaker
    needs_host: bool = False  #: without a host it is not this signal
    rank: int = 0  #: of all rows that match a line, only those of the lowest rank count
    yields_to: tuple[str, ...] = ()  #: signals that say the same more exactly
    deniable: bool = True  #: `…: 0` and the like after it say that it did not happen

    def match(self, line: str) -> re.Match[str] | None:
        """Return the match that captures most, the first of equals; None for what is denied."""
        matches = [
            found
            for regex in expressions(self.says)
            for found in regex.finditer(line)
            if not (self.deniable and _denied(found))
        ]
        return max(matches, key=lambda found: len(captured(found)), default=None)


_DENIED_BEFORE = re.compile(
    r"(?:(?:^|[:=,;(]|\b(?:found|has|have|had|with|are|were|is|was))\s*(?:0|no|zero|not)"
    r"|\b(?:without(?: an?| any)?|recovered from|(?:purged|removed|deleted|renewed)(?: \d+)?))"
    r"\s+$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"\w*(?:[ _](?:count|total))?['\"]?"
    r"(?:\s*[=:]\s*['\"]?(?:false|0(?:\.0+)?)(?![\w.:])| is false\b)",
    re.IGNORECASE,
)


def _denied(found: re.Match[str]) -> bool:
    """Tell whether the words around a match say that it did not happen: a count of 0, a false."""
    line = found.string
    before, after = line[: found.start()], line[found.end() :]
    return bool(_DENIED_BEFORE.search(before) or _DENIED_AFTER.match(after))


@cache
def expressions(text: str) -> tuple[re.Pattern[str], ...]:
    """Compile each line of a text, with the tokens replaced."""
    text = re.sub(r"\n\s*\+", "", text)
    for token in sorted(TOKENS):
        text = text.replace(token, TOKENS[token])
    lines = (line.strip() for line in text.splitlines())
    return tuple(re.compile(line, re.IGNORECASE) for line in lines if line)


def captured(match: re.Match[str]) -> dict[str, str]:
    """Return the named groups that matched something."""
    return {name: text for name, text in match.groupdict().items() if text}
