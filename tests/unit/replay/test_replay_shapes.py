"""Curves over time and their repeatable noise."""

import numpy as np
import pytest

from cli.replay.shapes import drawn, share_below, uniform, wobble

TIMES = np.array([-60.0, -30.0, 0.0, 30.0])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (3, [3, 3, 3, 3]),
        ([[-60, 0], [0, 2]], [0, 1, 2, 2]),
        ([[-30, 5]], [5, 5, 5, 5]),
        ({"steps": [[-60, 0], [0, 1]]}, [0, 0, 1, 1]),
        ({"steps": [[-29, 7], [1, 8]]}, [7, 7, 7, 8]),
    ],
)
def test_a_shape_is_drawn_at_every_time(shape, expected):
    """Constant, straight lines between points, or held until the next."""
    assert drawn(shape, TIMES).tolist() == expected


def test_noise_is_the_same_everywhere():
    """Splitmix64 from seed 0; first value as its reference implementation has it."""
    assert uniform(0, 1)[0] == (0xE220A8397B1DCDAF >> 11) / 2**53
    assert uniform(7, 5).tolist() == uniform(7, 5).tolist()
    assert uniform(7, 5).tolist() != uniform(8, 5).tolist()


def test_noise_stays_around_one():
    """At most the given share away, and nothing at all without noise."""
    factors = wobble(1, 1000, 0.1)

    assert 0.9 <= factors.min() < factors.max() <= 1.1
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert wobble(1, 3, 0).tolist() == [1, 1, 1]


def test_latencies_have_the_median_and_the_percentile_they_are_given():
    """Half below the median, 99 % below the 99th percentile, all below infinity."""
    p50, p99 = np.array([20.0]), np.array([300.0])

    shares = [float(share_below(limit, p50, p99)[0]) for limit in (20.0, 300.0, np.inf)]

    assert shares == pytest.approx([0.5, 0.99, 1.0])
