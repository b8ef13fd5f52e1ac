"""Bars in groups as an SVG picture; knows nothing of what they show."""

from collections.abc import Mapping
from html import escape

COLOURS = ("#d6372b", "#f08a7c", "#7a8691", "#b4bdc5")
WIDTH, LEFT, RIGHT, BAR, GAP = 880, 210, 60, 16, 22


def bars(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """One group of horizontal bars below another, the same names in each, with one scale."""
    names = list(next(iter(groups.values())))
    longest = max(value for group in groups.values() for value in group.values())
    parts, top = [_text(16, 28, title, "t")], 52
    for at, name in enumerate(names):
        x = 16 + at * 215
        parts += [_bar(x, top, 12, 12, COLOURS[at]), _text(x + 18, top + 11, name)]
    top += 36
    for label, group in groups.items():
        parts.append(_text(16, top + BAR * len(names) / 2 + 4, label))
        for at, name in enumerate(names):
            y, long = top + at * BAR, (WIDTH - LEFT - RIGHT) * group[name] / longest
            parts.append(_bar(LEFT, y, long, BAR - 3, COLOURS[at]))
            parts.append(_text(LEFT + long + 6, y + 11, f"{group[name]:.1f}"))
        top += BAR * len(names) + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">'
    style = "text{font:12px sans-serif;fill:#222}.t{font-size:16px;font-weight:bold}"
    ground = f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>'
    return "\n".join([head, f"<style>{style}</style>", ground, *parts, "</svg>", ""])


def _bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="{height}"'
    return f'<rect {place} rx="2" fill="{colour}"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(text)}</text>'
