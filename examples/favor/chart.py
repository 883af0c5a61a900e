"""The alignment task as an SVG: how accuracy grew, and how it falls where sound and pictures part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, CHANCE = 760, 300, 0.25
_ALIGNED, _SHIFTED, _INK, _FAINT = "#1b6ca8", "#c8553d", "#222", "#bbb"

Points = Sequence[tuple[float, float]]


def write_chart(path: Path, results: dict[str, Any]) -> None:
    """Two panels; `results` as examples.favor.alignment.run gives them."""
    curve = results["curve"]
    growth = _Panel(60, 340, [point["step"] for point in curve])
    moved = _Panel(440, 720, [int(shift) for shift in results["shifts"]])
    parts = [
        *growth.frame("training step", "answers right, held-out clips"),
        *growth.line([(point["step"], point["aligned"]) for point in curve], _ALIGNED, "aligned"),
        *growth.line(
            [(point["step"], point["shifted by 2"]) for point in curve], _SHIFTED, "sound 2 steps late"
        ),
        *moved.frame("steps (0.5 s) the sound is late", "after training"),
        *moved.line([(int(shift), value) for shift, value in results["shifts"].items()], _ALIGNED, ""),
    ]
    style = f'font-family="sans-serif" font-size="12" fill="{_INK}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>'
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, background, *parts, "</svg>"]) + "\n", encoding="utf-8")


class _Panel:
    """A plot of shares (0 to 1) between two pixel columns."""

    top, bottom = 50, 240

    def __init__(self, left: int, right: int, ticks: Sequence[int]) -> None:
        self.left, self.right, self.ticks = left, right, ticks

    def x(self, value: float) -> float:
        span = max(self.ticks) - min(self.ticks) or 1
        return self.left + (self.right - self.left) * (value - min(self.ticks)) / span

    def y(self, share: float) -> float:
        return self.bottom - (self.bottom - self.top) * share

    def frame(self, label: str, title: str) -> list[str]:
        parts = [f'<text x="{self.left}" y="30" font-size="14">{title}</text>']
        for share in (0, 0.5, 1):
            y = self.y(share)
            parts.append(f'<path d="M{self.left} {y}H{self.right}" stroke="{_FAINT}" stroke-width="0.5"/>')
            parts.append(f'<text x="{self.left - 8}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
        y = self.y(CHANCE)
        parts.append(f'<path d="M{self.left} {y}H{self.right}" stroke="{_FAINT}" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{self.right}" y="{y + 14}" text-anchor="end" fill="#777">chance</text>')
        every = -(-len(self.ticks) // 10)
        for tick in self.ticks[::every]:
            parts.append(
                f'<text x="{self.x(tick)}" y="{self.bottom + 18}" text-anchor="middle">{tick}</text>'
            )
        middle = (self.left + self.right) / 2
        parts.append(f'<text x="{middle}" y="{self.bottom + 40}" text-anchor="middle">{label}</text>')
        return parts

    def line(self, points: Points, colour: str, name: str) -> list[str]:
        places = [(self.x(x), self.y(share)) for x, share in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        label = f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="end" fill="{colour}">{name}</text>'
        return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots, label]
