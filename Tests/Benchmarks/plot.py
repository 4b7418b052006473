"""The plot: each subject's figure as a multiple of nginx's, a row a work, as an SVG that needs nothing but itself."""

from __future__ import annotations

import math
from html import escape

from figures import NGINX, Figure

COLOURS = {
    "Penstock": "#c2410c", "Penstock before": "#f59e0b", "nginx": "#15803d", "HAProxy": "#1d4ed8",
    "Envoy": "#a21caf", "Envoy adaptive": "#6b21a8", "relay in C": "#525252",
    "sglang-router": "#0e7490", "sglang-router in turn": "#22d3ee", "vllm-router": "#be123c", "vllm-router in turn": "#fb7185"}
LOWEST, HIGHEST = 1 / 8, 16.0
LEFT, WIDTH, ROW, TOP = 300, 620, 24, 56


def x_of(ratio: float) -> float:
    """Where a ratio stands on the logarithmic axis; what is beyond its ends stands at them."""
    share = math.log(min(max(ratio, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return LEFT + WIDTH * share


def text(x: float, y: float, content: str, more: str = "") -> str:
    """A piece of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(content)}</text>'


def as_svg(figures: list[Figure]) -> str:
    """The whole plot."""
    bases = {figure.work: figure for figure in figures if figure.subject == NGINX and figure.median > 0}
    works = [work for work in dict.fromkeys(figure.work for figure in figures) if work in bases]
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    height = TOP + ROW * len(works) + 30
    width = LEFT + WIDTH + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12" fill="#1f2937">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text(10, 20, "Cost as a multiple of nginx's (less is better)", 'font-weight="bold"'),
    ]
    x = 10.0
    for subject in subjects:
        parts.append(f'<circle cx="{x + 5:.1f}" cy="36" r="5" fill="{COLOURS.get(subject, "#000000")}"/>')
        parts.append(text(x + 14, 40, subject))
        x += 30 + 7.2 * len(subject)
    bottom = TOP + ROW * len(works)
    tick = LOWEST
    while tick <= HIGHEST:
        stroke = "#9ca3af" if tick == 1 else "#e5e7eb"
        parts.append(f'<line x1="{x_of(tick):.1f}" x2="{x_of(tick):.1f}" y1="{TOP}" y2="{bottom}" stroke="{stroke}"/>')
        label = f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}"
        parts.append(text(x_of(tick), bottom + 16, label, 'text-anchor="middle"'))
        tick *= 2
    for row, work in enumerate(works):
        y = TOP + ROW * row + ROW / 2
        parts.append(text(LEFT - 12, y + 4, work, 'text-anchor="end"'))
        # Penstock last, on top of the others.
        for figure in sorted((f for f in figures if f.work == work), key=lambda f: f.subject == "Penstock"):
            parts += mark(figure, bases[work], y)
    return "\n".join(parts) + "\n</svg>\n"


def mark(figure: Figure, base: Figure, y: float) -> list[str]:
    """A dot at the median of the rounds' ratios, and a line from the lowest to the highest."""
    colour = COLOURS.get(figure.subject, "#000000")
    parts = []
    if len(figure.values) == len(base.values) > 1:
        ratios = [own / other for own, other in zip(figure.values, base.values, strict=True) if other > 0]
        if ratios:
            parts.append(
                f'<line x1="{x_of(min(ratios)):.1f}" x2="{x_of(max(ratios)):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-width="2" opacity="0.5"/>')
    ratio = figure.ratio(base)
    title = escape(f"{figure.work}, {figure.subject}: {figure.median:.3g} {figure.unit}, {ratio:.2f} of nginx")
    parts.append(
        f'<circle cx="{x_of(ratio):.1f}" cy="{y:.1f}" r="5" fill="{colour}"><title>{title}</title></circle>')
    return parts
