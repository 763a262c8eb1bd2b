"""Values in words."""

import pytest

from opssage.units import quantity


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.354, "ratio", "35.4%"),
        (12.34, "ratio", "1234%"),
        (0.25, "seconds", "250 ms"),
        (3600, "seconds", "3600 s"),
        (512, "bytes", "512 B"),
        (1023 * 1024**2, "bytes", "1023 MiB"),
        (1.5 * 1024**3, "bytes", "1.5 GiB"),
        (5000 * 1024**4, "bytes", "5000 TiB"),
        (0.8, "cores", "0.8 cores"),
        (12.04, "per_second", "12/s"),
        (12345, "count", "12345"),
        (0, "", "0"),
    ],
)
def test_quantity_reads_as_people_write_it(value, unit, words):
    """Three digits, more where they stand before the point, and never an exponent for these."""
    assert quantity(value, unit) == words
