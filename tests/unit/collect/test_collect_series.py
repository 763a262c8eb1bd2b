"""Series against their own baseline."""

import pytest

from tasks.collect.series import Times, Tolerance, on_grid, read, thinned

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

    assert thinned(points, until=420) == [
        [0, 0.0], [240, 0.0], [300, 1.23457], [360, 1.23457], [420, 1.0], [480, 1.0], [540, 1.0],
    ]  # fmt: skip
