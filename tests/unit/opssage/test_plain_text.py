"""Text from outside."""

from opssage.plain_text import plain, plain_text


def test_colours_of_a_terminal_are_left_out():
    """A log line is read elsewhere than in the terminal it was written for."""
    assert plain_text("\x1b[31;1mERROR\x1b[0m refused") == "ERROR refused"


def test_direction_of_writing_cannot_be_turned():
    """What is shown is what was written; line ends and tabs stay."""
    assert plain_text("a\u202eb\tc\nd\x00\u2066") == "ab\tc\nd"


def test_every_text_of_a_document_is_plain():
    """Keys too."""
    assert plain({"k\x07": ["\x1b]0;title\x07x", 1]}) == {"k": ["x", 1]}
