"""The month a fact is cleared in: never one that was cut already."""

from __future__ import annotations


def period_of(beijing_month: str, last_cut: str | None) -> str:
    """The later of the Beijing month of the fact and the month after the last cut (`2026-11`).

    Without a last cut nothing is written: it is only asked what would be.
    """
    if last_cut is None:
        return beijing_month
    return max(beijing_month, month_after(last_cut))


def month_after(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1}-01" if number == 12 else f"{year}-{number + 1:02}"


def months_after(last_cut: str, until: str) -> list[str]:
    """The months after the last cut up to another, which is among them; in their order."""
    months = []
    while last_cut < until:
        last_cut = month_after(last_cut)
        months.append(last_cut)
    return months
