"""A bar chart as SVG, written by hand: each scenario's costs as a ratio to nginx's, so that rows of µs and of ms
share one axis.

A row without nginx is drawn relative to its first bar. Bars that would leave the picture end in an arrow; their
figure stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.stats import short

_COLOURS = {"lb": "#1f6feb", "nginx": "#2da44e", "haproxy": "#8250df", "caddy": "#bf8700", "plain": "#8c959f"}
_LEFT, _SCALE, _LONGEST = 250, 190, 2.6
_STYLE = 'font-family="system-ui, sans-serif" font-size="12" fill="#24292f"'
_BAR, _GAP, _TOP, _WIDTH = 13, 14, 64, 980


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of one scenario: cost by label, in the order drawn."""

    title: str
    unit: str
    costs: Mapping[str, float]


def draw(title: str, groups: Sequence[Group]) -> str:
    """The SVG text. Groups without a positive cost are left out."""
    body: list[str] = []
    y = _TOP
    for group in groups:
        reference = group.costs.get("nginx") or next(iter(group.costs.values()), 0.0)
        if reference <= 0:
            continue
        middle = y + len(group.costs) * _BAR / 2
        body.append(f'<text x="{_LEFT - 10}" y="{middle + 4:.0f}" text-anchor="end">{escape(group.title)}</text>')
        for label, cost in group.costs.items():
            body.append(_bar(label, cost, cost / reference, group.unit, y))
            y += _BAR
        y += _GAP
    line = _LEFT + _SCALE
    frame = [
        f'<line x1="{line}" y1="{_TOP - 8}" x2="{line}" y2="{y}" stroke="#57606a" stroke-dasharray="3 3"/>',
        f'<text x="{line}" y="{_TOP - 12}" text-anchor="middle" fill="#57606a">nginx = 1</text>',
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 10}" {_STYLE} role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{y + 10}" fill="#ffffff"/>',
            f'<text x="16" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
            *_legend({label for group in groups for label in group.costs}),
            *body,
            *frame,
            "</svg>\n",
        )
    )


def _bar(label: str, cost: float, ratio: float, unit: str, y: float) -> str:
    width = _SCALE * min(ratio, _LONGEST)
    colour = _COLOURS.get(label, "#57606a")
    end = _LEFT + width
    arrow = (
        f'<path d="M{end:.0f} {y} l7 {(_BAR - 3) / 2} l-7 {(_BAR - 3) / 2} z" fill="{colour}"/>'
        if ratio > _LONGEST
        else ""
    )
    return (
        f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR - 3}" fill="{colour}"/>{arrow}'
        f'<text x="{end + 12:.0f}" y="{y + _BAR - 4}" font-size="10">{short(cost)} {unit} ({ratio:.2f})</text>'
    )


def _legend(labels: set[str]) -> list[str]:
    parts: list[str] = []
    x = 16
    for label, colour in _COLOURS.items():
        if label in labels:
            parts.append(
                f'<rect x="{x}" y="34" width="10" height="10" fill="{colour}"/><text x="{x + 15}" y="43">{label}</text>'
            )
            x += 80
    return parts
