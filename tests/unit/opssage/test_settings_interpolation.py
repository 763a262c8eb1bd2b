import pytest
from hypothesis import given
from hypothesis import strategies as st

from opssage.settings.interpolation import UnexpandedError, expand, expand_tree


@given(st.text(min_size=1))
def test_value_comes_through_verbatim(value: str):
    """Nothing in a variable is read as YAML or expanded again."""
    assert expand("${VALUE}", {"VALUE": value}) == value


@given(st.text().filter(lambda text: "${" not in text))
def test_text_without_a_reference_is_left_alone(text: str):
    """A dollar sign alone means nothing."""
    assert expand(text, {"HOME": "/root", "5": "five"}) == text


@given(st.text().filter(lambda text: text and not set(text) & set("{}")))
def test_default_comes_through_verbatim(default: str):
    """A default may hold anything but braces."""
    assert expand(f"${{VALUE:-{default}}}", {}) == default


@pytest.mark.parametrize("environ", [{}, {"VALUE": ""}])
@pytest.mark.parametrize("text", ["${VALUE}", "${VALUE:-}"])
def test_nothing_is_null(text: str, environ: dict[str, str]):
    """A variable that is unset or empty leaves no value behind."""
    assert expand(text, environ) is None


def test_references_are_filled_in_beside_each_other():
    """A text may hold several references, set or with a default."""
    environ = {"HOST": "db", "NAME": ""}

    assert expand("pg://${HOST}:${PORT:-5432}/${NAME:-x}", environ) == "pg://db:5432/x"


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${A-b}", "${A:=b}", "${1A}", "${A:-${B}}"])
def test_other_forms_of_a_shell_are_refused(text: str):
    """What is not expanded is not passed on as if it were a value."""
    with pytest.raises(UnexpandedError, match=r"neither \$\{VAR\} nor"):
        expand(text, {"A": "a", "B": "b"})


def test_tree_reports_where_a_value_cannot_be_expanded():
    """The faulty key is left out, its neighbours are kept."""
    told: list[tuple[tuple[str, ...], str]] = []

    kept = expand_tree(
        {"a": {"b": "x${UNSET}", "c": ["${SET}", 1]}, "d": None},
        {"SET": "y"},
        lambda at, fault: told.append((at, fault)),
    )

    assert kept == {"a": {"c": ["y", 1]}, "d": None}
    assert told == [(("a", "b"), "UNSET is not set; set it or write ${UNSET:-default}")]
