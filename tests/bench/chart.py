"""Throughput as bars, in SVG made by hand: nothing to install, and it reads well in a diff."""

from collections.abc import Mapping
from html import escape
from typing import Final

_WIDTH: Final = 760
_LABEL: Final = 230
_ROW: Final = 28


def bars(title: str, values: Mapping[str, float]) -> str:
    """An SVG with one bar for each value, the largest over the whole width."""
    scale = (_WIDTH - _LABEL - 90) / max(values.values())
    rows = "\n".join(
        f'<text x="{_LABEL - 8}" y="{_ROW * row + 17}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_LABEL}" y="{_ROW * row + 3}" width="{max(1.0, value * scale):.1f}" height="{_ROW - 8}"'
        f' fill="{"#2563eb" if name.startswith("scheduler") else "#94a3b8"}"/>'
        f'<text x="{_LABEL + value * scale + 6:.1f}" y="{_ROW * row + 17}">{value:,.0f}</text>'
        for row, (name, value) in enumerate(values.items(), start=1)
    )
    height = _ROW * (len(values) + 1) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="sans-serif" font-size="13">'
        f'\n<rect width="{_WIDTH}" height="{height}" fill="white"/>'
        f'\n<text x="8" y="18" font-weight="bold">{escape(title)}</text>\n{rows}\n</svg>\n'
    )
