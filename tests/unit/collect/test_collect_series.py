"""Series against their own baseline."""

import pytest

from tasks.collect.series import Times, Tolerance, on_grid, read, thinned, unbroken_from

TIMES = Times(history_from=0, calm_until=1500, onset=1800)
PLAIN = Tolerance(floor=0.1)


def series(*runs):
    """Points every 60 s: (how many, value) after each other."""
    values = [value for count, value in runs for _ in range(count)]
    return [(index * 60, value) for index, value in enumerate(values)]


def test_departure_is_dated_at_its_first_point():
    """It may come before the onset that the alert claims."""
    reading = read(series((27, 1.0), (13, 3.0)), TIMES, PLAIN)

    assert reading.onset_at == 27 * 60
    assert (reading.before.median, reading.after.median) == (1.0, 3.0)
    assert reading.after.count == 13


def test_single_outlier_is_no_departure():
    """One strange scrape proves nothing."""
    reading = read(series((30, 1.0), (1, 9.0), (9, 1.0)), TIMES, PLAIN)

    assert reading.onset_at is None


def test_swing_over_both_sides_is_no_departure():
    """Two points in a row must leave on the same side."""
    reading = read(series((30, 1.0), (1, 9.0), (1, -9.0), (8, 1.0)), TIMES, PLAIN)

    assert reading.onset_at is None


def test_departure_that_was_over_before_the_onset_is_another_story():
    """Five minutes is how far back rules usually look."""
    times = Times(history_from=0, calm_until=900, onset=1800)

    passed = read(series((16, 1.0), (5, 9.0), (14, 1.0)), times, PLAIN)
    lasting = read(series((16, 1.0), (10, 9.0), (9, 1.0)), times, PLAIN)

    assert passed.onset_at is None
    assert lasting.onset_at == 16 * 60


def test_short_return_does_not_end_a_departure():
    """A series that comes back for a point or two has one onset."""
    reading = read(series((30, 1.0), (3, 9.0), (2, 1.0), (5, 9.0)), TIMES, PLAIN)

    assert reading.onset_at == 1800


def test_fall_is_a_departure_too():
    """Traffic that stays away matters as much as a surge."""
    assert read(series((30, 50.0), (10, 2.0)), TIMES, PLAIN).onset_at == 1800


def test_noise_of_the_baseline_is_tolerated():
    """The band is as wide as the baseline is noisy."""
    noisy = [(index * 60, 10.0 + (index % 7)) for index in range(40)]

    assert read(noisy, TIMES, PLAIN).onset_at is None


def test_change_below_the_floor_is_no_departure():
    """A flat line that moves by a hair has left by many sigma and means nothing."""
    reading = read(series((30, 0.001), (10, 0.05)), TIMES, PLAIN)

    assert reading.onset_at is None
    assert reading.deviation < 1


def test_series_without_history_has_no_baseline():
    """There is nothing to compare a new series with."""
    reading = read(series((30, None), (10, 4.0)), TIMES, PLAIN)

    assert reading.before is None
    assert reading.onset_at is None
    assert reading.deviation == pytest.approx(40)


def test_absence_counts_as_zero_where_nothing_is_reported_otherwise():
    """A waiting reason exists only while a container waits."""
    tolerance = Tolerance(floor=0.5, share=0.0, absent_is_zero=True)

    reading = read(series((32, None), (8, 1.0)), TIMES, tolerance)

    assert reading.before.max == 0
    assert reading.onset_at == 32 * 60
    assert reading.points[0] == (0, None)


def test_appearance_dates_a_series_whose_kind_starts_from_nothing():
    """A pod that was not there used no CPU."""
    tolerance = Tolerance(floor=0.1, starts_from_nothing=True)

    reading = read(series((29, None), (11, 2.0)), TIMES, tolerance)

    assert reading.onset_at == 29 * 60
    assert reading.before is None


def test_appearance_means_nothing_when_all_history_begins_there():
    """A Prometheus that was just started knows nothing of before."""
    times = Times(history_from=29 * 60, calm_until=1500, onset=1800)
    tolerance = Tolerance(floor=0.1, starts_from_nothing=True)

    assert read(series((29, None), (11, 2.0)), times, tolerance).onset_at is None


def test_empty_series_reads_as_nothing():
    """No sample, no claim."""
    reading = read(series((40, None)), TIMES, PLAIN)

    assert (reading.before, reading.after, reading.last, reading.deviation) == (None, None, None, 0)


def test_grid_fills_gaps_and_takes_no_infinity():
    """NaN and infinities have no place in JSON."""
    samples = [(0, 1.0), (15, float("nan")), (45, float("inf")), (60, 2.0)]

    points = on_grid(samples, start=0, end=60, step=15)

    assert points == ((0, 1.0), (15, None), (30, None), (45, None), (60, 2.0))


def test_thinning_keeps_the_edges_of_runs_and_all_since_the_calm():
    """The drawing stays the same, and what diagnoses read stays whole."""
    points = series((5, 0.0), (2, 1.23456789), (3, 1.0))

    assert thinned(points, until=420, digits=4) == [
        [0, 0], [240, 0], [300, 1.235], [360, 1.235], [420, 1], [480, 1], [540, 1],
    ]  # fmt: skip


def test_thinning_keeps_the_extremes_and_the_gaps_of_the_baseline():
    """A chart of many points shows no more than those."""
    values = [float(index % 7) for index in range(120)]
    points = [(index * 15, value) for index, value in enumerate(values)]
    points[50] = (750, None)

    kept = thinned(points, until=1800, digits=4)

    assert len(kept) <= 2 * 12 + 3
    assert (kept[0], kept[-1]) == ([0, 0], [1785, 119 % 7])
    assert [750, None] in kept
    assert {value for _, value in kept} >= {0, 6}


def test_point_that_stands_for_minutes_is_a_departure_while_it_lasts():
    """A provider's figure every five minutes is an average already; the next one is far away."""
    slow = Times(history_from=0, calm_until=1500, onset=1800, is_slow=True)

    assert read(series((30, 1.0), (1, 9.0)), slow, PLAIN).onset_at == 30 * 60
    assert read(series((30, 1.0), (1, 9.0), (1, 1.0)), slow, PLAIN).onset_at is None


@pytest.mark.parametrize(
    ("times", "since"),
    [
        ([], None),
        ([0, 60, 120], 0),
        ([0, 60, 900, *range(960, 3000, 60)], 900),
        ([0, 60, 2700, 2760], 0),
    ],
)
def test_history_begins_after_the_last_gap(times, since):
    """Unless the gap leaves too little before the onset to tell what is normal."""
    assert unbroken_from(times, step=60, onset=2800) == since
