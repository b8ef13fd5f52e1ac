"""Old backups go, the newest stay, and none outlives what the setting says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.retention import Keep, kept

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
TIMES = st.lists(
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 11, 23), timezones=st.just(UTC)),
    max_size=60,
)
KEEPS = st.builds(Keep, days=st.integers(0, 30), weeks=st.integers(0, 9), months=st.integers(0, 14))


def test_a_year_of_nights_thins_out_to_days_weeks_and_months() -> None:
    nights = [NOW - timedelta(days=day) for day in range(365)]
    stay = kept(nights, Keep(days=7, weeks=4, months=6), NOW)
    assert set(nights[:8]) <= stay
    assert len(stay) <= 8 + 5 + 7
    assert len({(time.year, time.month) for time in stay}) >= 6


@given(times=TIMES, keep=KEEPS)
def test_the_newest_stays_and_nothing_outlives_the_longest(
    times: list[datetime], keep: Keep
) -> None:
    stay = kept(times, keep, NOW)
    assert stay <= set(times)
    assert not times or max(times) in stay
    assert all(NOW - time <= keep.longest for time in stay - {max(times, default=NOW)})
    in_days = {time.date() for time in times if NOW - time <= timedelta(days=keep.days)}
    assert in_days <= {time.date() for time in stay} or not keep.days


@given(times=TIMES, keep=KEEPS)
def test_thinning_twice_takes_no_more(times: list[datetime], keep: Keep) -> None:
    once = kept(times, keep, NOW)
    assert kept(once, keep, NOW) == once


@given(keep=KEEPS.filter(lambda keep: keep.longest > timedelta()), night=st.integers(0, 500))
def test_by_the_time_that_is_told_no_older_backup_is_left(keep: Keep, night: int) -> None:
    deleted_at = NOW - timedelta(hours=5)
    made = [NOW + timedelta(days=day) for day in range(-night, 0)]
    gone_by = keep.gone_by(deleted_at)
    while gone_by >= NOW and (not made or made[-1] < gone_by - timedelta(days=1)):
        made.append(made[-1] + timedelta(days=1) if made else NOW)
        made = sorted(kept(made, keep, made[-1]))
    assert all(time > deleted_at for time in made)


def test_the_setting_is_read_or_refused() -> None:
    assert Keep.parse("7d 4w 6m") == Keep(days=7, weeks=4, months=6)
    assert Keep.parse("30d") == Keep(days=30, weeks=0, months=0)
    for bad in ("", "0d", "often", "7", "6m 7d", "7일"):
        with pytest.raises(ValueError, match="like"):
            Keep.parse(bad)
