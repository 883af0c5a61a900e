"""Charts as plain SVG: a title, labelled axes, and a sentence for those who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

WIDTH, HEIGHT = 360, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 38
_BINS = 24
_MOST_BARS = 12


@dataclass(frozen=True)
class Chart:
    """`svg`: safe markup; `summary`: what it shows, in words."""

    title: str
    svg: Markup
    summary: str


def histogram(title: str, unit: str, values: npt.NDArray[np.float64]) -> Chart:
    """Of finite values; how many have none is said.

    Args:
        values: float64 [n], NaN where there is none.
    """
    finite = values[np.isfinite(values)]
    without = len(values) - len(finite)
    if not len(finite):
        return Chart(title, Markup(""), f"{title}: no value in {without} samples")
    low, high = float(finite.min()), float(finite.max())
    counts, _ = np.histogram(finite, _BINS, (low, high if high > low else low + 1))
    summary = (
        f"{title}: {number(low)} to {number(high)} {unit}, median {number(float(np.median(finite)))}; "
        f"{len(finite):,} samples" + (f", {without:,} without" if without else "")
    )
    bars = _bars(counts.tolist(), [])
    ends = [(0.0, number(low)), (0.5, number((low + high) / 2)), (1.0, number(high))]
    return Chart(title, _svg(summary, bars, int(counts.max()), ends, unit or title), summary)


def bars(title: str, counted: Sequence[tuple[str, int]]) -> Chart:
    """A bar a value, the most frequent first."""
    shown = sorted(counted, key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in shown[_MOST_BARS:])
    shown = shown[:_MOST_BARS] + ([("others", rest)] if rest else [])
    summary = f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in shown)
    names = [name for name, _ in shown]
    places = [((at + 0.5) / len(shown), _short(name, len(shown))) for at, name in enumerate(names)]
    marks = _bars([count for _, count in shown], names)
    most = max((count for _, count in shown), default=0)
    return Chart(title, _svg(summary, marks, most, places, title), summary)


def number(value: float) -> str:
    """Three significant figures, whole numbers whole."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3g}"


def _short(name: str, bars_shown: int) -> str:
    most = max(3, 60 // max(1, bars_shown))
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _bars(counts: Sequence[int], names: Sequence[str]) -> Markup:
    most, width = max([*counts, 1]), (WIDTH - _LEFT - _RIGHT) / max(1, len(counts))
    drawn = []
    for at, count in enumerate(counts):
        height = (HEIGHT - _TOP - _BOTTOM) * count / most
        x, y = _LEFT + at * width, HEIGHT - _BOTTOM - height
        said = f"{names[at]}: {count:,}" if names else f"{count:,}"
        drawn.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
            ).format(x + 0.5, y, max(width - 1, 0.5), height, said)
        )
    return Markup("").join(drawn)


def _svg(summary: str, marks: Markup, most: int, places: Sequence[tuple[float, str]], label: str) -> Markup:
    base, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    texts = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
            _LEFT + (right - _LEFT) * place, base + 13, _anchor(place), text
        )
        for place, text in places
    ]
    return Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="{said}">'
        '<g class="marks">{marks}</g>'
        '<path class="axis" d="M{left} {top}V{base}H{right}"/>'
        '<text x="{edge}" y="{under}" text-anchor="end">{most}</text>'
        '<text x="{edge}" y="{base}" text-anchor="end">0</text>{texts}'
        '<text class="label" x="{middle}" y="{foot}" text-anchor="middle">{label}</text>'
        '<text class="label" transform="translate(10 {half}) rotate(-90)" text-anchor="middle">samples</text>'
        "</svg>"
    ).format(
        w=WIDTH,
        h=HEIGHT,
        said=summary,
        marks=marks,
        left=_LEFT,
        top=_TOP,
        base=base,
        right=right,
        edge=_LEFT - 4,
        under=_TOP + 8,
        most=f"{most:,}",
        texts=Markup("").join(texts),
        middle=(_LEFT + right) / 2,
        foot=HEIGHT - 8,
        label=escape(label),
        half=(HEIGHT - _BOTTOM) / 2,
    )


def _anchor(place: float) -> str:
    return "start" if place == 0 else "end" if place == 1 else "middle"
