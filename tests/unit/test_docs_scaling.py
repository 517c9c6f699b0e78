"""docs/scaling.md: its table is what the model says of the figures that the page itself names."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.bench.growth import DAYS_KEPT, PEAK, forecast

PAGE: Final = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text("utf-8")
MEASURED: Final = re.search(r"([\d,]+) bytes in tables and indexes; ([\d,]+) bytes of write-ahead log", PAGE)


def number(text: str) -> float:
    return float(text.replace(",", ""))


@pytest.mark.parametrize("millions", [10, 100, 1000])
def test_a_row_of_the_table(millions: int) -> None:
    assert MEASURED is not None
    come_to = forecast(millions * 1_000_000, stored_bytes=number(MEASURED[1]), wal_bytes=number(MEASURED[2]))
    row = (
        f"| {millions:,} million | {come_to.mean_rate:,.0f} | {come_to.peak_rate:,.0f} | "
        f"{come_to.rows_kept / 1e9:,.1f} | {come_to.stored:,.0f} | {come_to.wal_a_day:,.0f} |"
    )
    assert row in PAGE.splitlines()


def test_what_it_assumes_is_what_is_computed() -> None:
    assert f"which are kept for {DAYS_KEPT} days" in PAGE
    assert PEAK == 5
    assert "five times its mean" in PAGE


def test_what_goes_on_for_a_day_comes_to_as_many_jobs() -> None:
    a_second = forecast(86_400, stored_bytes=1e9, wal_bytes=1e9)
    assert (a_second.mean_rate, a_second.wal_a_day) == (1.0, 86_400.0)
    assert a_second.stored == 86_400 * DAYS_KEPT
    assert a_second.rows_kept == 2 * 86_400 * DAYS_KEPT
