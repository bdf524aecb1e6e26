"""Draws time against memory size, as an SVG for light and dark pages."""

import math
from collections.abc import Callable, Sequence
from html import escape

from benchmarks.result import Result

WIDTH, HEIGHT = 860, 380
_TOP, _BOTTOM = 70, 330
_PANELS = ((56, 300), (486, 730))  # left and right edges of the two plots
_LABEL_GAP = 15
_COLOURS = (
    "blue",
    "violet",
    "red",
    "yellow",
    "green",
    "grey",
)  # classes of the style, in the variants' order

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #52514e }
.title { font-weight: 600; font-size: 14px; fill: #0b0b0b }
.page { fill: #fcfcfb }
.grid { stroke: #e1e0d9 }
.blue { --series: #2a78d6 } .red { --series: #e34948 }
.violet { --series: #8a5cd6 } .yellow { --series: #eda100 } .green { --series: #2f9e62 }
.grey { --series: #898781 }
path { fill: none; stroke: var(--series); stroke-width: 2; stroke-linejoin: round }
circle { fill: var(--series) }
.blue path { stroke-width: 3 }
.blue text { font-weight: 600; fill: #0b0b0b }
@media (prefers-color-scheme: dark) {
  text { fill: #c3c2b7 } .title, .blue text { fill: #ffffff } .page { fill: #1a1a19 }
  .grid { stroke: #2c2c2a }
  .blue { --series: #3987e5 } .red { --series: #e66767 }
  .violet { --series: #a17fe0 } .yellow { --series: #c98500 } .green { --series: #3fb477 }
  .grey { --series: #898781 }
}
"""

Reading = Callable[[Result], float]


def svg(results: Sequence[Result]) -> str:
    """Return the drawing: the cold start on the left, a warm sign-in on the right."""
    panels: tuple[tuple[str, Reading], ...] = (
        ("Cold start until posted (ms)", lambda result: result.cold.median),
        ("Warm sign-in, same connection (ms)", lambda result: result.kept.median),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Time to post a sign-in against memory size</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
    ]
    for (left, right), (title, reading) in zip(_PANELS, panels, strict=True):
        parts += _panel(results, title, reading, left=left, right=right)
    return "\n".join([*parts, "</svg>", ""])


def _panel(
    results: Sequence[Result], title: str, reading: Reading, *, left: int, right: int
) -> list[str]:
    sizes = sorted({result.memory_mb for result in results})
    variants = list(dict.fromkeys(result.variant.title for result in results))
    values = [reading(result) for result in results]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def across(memory_mb: int) -> float:
        share = math.log(memory_mb / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return left + (right - left) * share

    def down(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (math.log10(value) - low) / (high - low)

    parts = [_text(left - 36, 36, title, "title")]
    for power in range(low, high + 1):
        y = down(10**power)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 8, y + 4, f"{10**power:,}", anchor="end"))
    parts += [_text(across(size), _BOTTOM + 20, f"{size}", anchor="middle") for size in sizes]
    parts.append(_text((left + right) / 2, _BOTTOM + 40, "memory size (MB)", anchor="middle"))

    lines = {
        variant: [
            (across(result.memory_mb), down(reading(result)))
            for result in results
            if result.variant.title == variant
        ]
        for variant in variants
    }
    labels = _apart({variant: points[-1][1] for variant, points in lines.items()})
    for variant, colour in reversed(list(zip(variants, _COLOURS, strict=True))):  # ours on top
        points = lines[variant]
        drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<g class="{colour}"><path d="M{drawn}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points]
        parts.append(_text(right + 12, labels[variant] + 4, variant) + "</g>")
    return parts


def _apart(wanted: dict[str, float]) -> dict[str, float]:
    """Move labels down until none covers another."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for variant, y in sorted(wanted.items(), key=lambda label: label[1]):
        lowest = placed[variant] = max(y, lowest + _LABEL_GAP)
    return placed


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
