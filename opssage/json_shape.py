"""The shape of a JSON text, told before it is parsed: parsing costs memory and stack by shape."""

_MARKS = b'",{['
_STRUCTURE = b'{}[]:"'
_ALL_ELSE = bytes(set(range(256)) - set(_STRUCTURE))
_LISTS_ONLY = bytes.maketrans(b"{}", b"[]")


def count_marks(raw: bytes) -> int:
    """Return how many quotation marks, commas and opening brackets there are, in strings too.

    A parsed document takes memory by its values rather than by its bytes.
    """
    return sum(map(raw.count, _MARKS))


def structure_of(raw: bytes) -> bytes:
    """Return the brackets and colons that are outside strings, if this is JSON at all.

    A quotation mark inside a string is escaped, and so is a backslash: without those pairs, every
    mark that is left begins or ends a string.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.translate(None, _ALL_ELSE).split(b'"')[::2])


def is_deeper(structure: bytes, levels: int) -> bool:
    """Tell whether the brackets of `structure_of` are nested deeper than so many levels.

    The innermost pairs are taken away level by level. What never closes counts too: a parser
    meets it before it knows.
    """
    if structure.count(b"[") + structure.count(b"{") <= levels:
        return False
    brackets = structure.translate(_LISTS_ONLY, b":")
    for _ in range(levels):
        brackets = brackets.replace(b"[]", b"")
        if b"[]" not in brackets:
            return brackets.count(b"[") > levels
    return True
