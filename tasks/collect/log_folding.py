"""Templates that differ by one word only, where that word takes many values, made one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

MANY = 5
"""So many values of a word are names; fewer may be all there is to say, as with `accepted` and
`refused`."""

_ROUNDS = 2  #: a line may hold two names
_MAX_WORDS = 60  #: of a template that are looked at

_WORD = re.compile(r"[^\W_][\w.<>*-]*")


def folded(templates: Iterable[str]) -> Mapping[str, str]:
    """Return what becomes of each template that is folded: one with `<*>` in place of the name."""
    known = set(templates)
    became: dict[str, str] = {}
    for _ in range(_ROUNDS):
        found = _folded_once(known)
        became = {old: found.get(new, new) for old, new in became.items()} | found
        known = {found.get(template, template) for template in known}
    return became


def _folded_once(templates: set[str]) -> dict[str, str]:
    alike: dict[tuple[int, int, int], list[tuple[str, int, int]]] = defaultdict(list)
    for template in sorted(templates):
        for i, word in enumerate(_WORD.finditer(template)):
            if i == _MAX_WORDS:
                break
            # hashes, since the texts around all words together would be large
            around = hash(template[: word.start()]), hash(template[word.end() :])
            alike[i, *around].append((template, *word.span()))
    found: dict[str, str] = {}
    for _, members in sorted(alike.items(), key=_most_first):
        if len(members) < MANY:
            break
        for template, start, end in members:
            found.setdefault(template, f"{template[:start]}<*>{template[end:]}")
    return found


def _most_first(
    item: tuple[tuple[int, int, int], list[tuple[str, int, int]]],
) -> tuple[int, int, list[tuple[str, int, int]]]:
    (place, _, _), members = item  # hashes differ from process to process
    return -len(members), place, members
