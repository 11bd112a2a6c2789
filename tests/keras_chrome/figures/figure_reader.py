"""Texts of a figure as its reader sees them: where they are, and on what."""

import itertools
from typing import Any
from unittest import mock

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def written(figure: Figure) -> list[tuple[str, Bbox, Text]]:
    """Every text that is drawn, once, and its place in pixels."""
    canvas = FigureCanvasAgg(figure)
    drawn: dict[int, Text] = {}
    draw_text = Text.draw

    def draw(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn[id(text)] = text
        draw_text(text, renderer)

    # Ticks out of sight are texts of a figure, too: only what is drawn counts.
    with mock.patch.object(Text, "draw", draw):
        canvas.draw()
    renderer = canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer), text) for text in drawn.values()]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that lie on each other."""
    return [
        (a, b)
        for (a, at_a, _), (b, at_b, _) in itertools.combinations(written(figure), 2)
        if (shared := Bbox.intersection(at_a, at_b)) and min(shared.width, shared.height) > 1
    ]


def cut_off(figure: Figure) -> list[str]:
    """Texts that reach over an edge of the figure by more than a pixel."""
    whole = figure.bbox
    return [
        text
        for text, at, _ in written(figure)
        if at.x0 < whole.x0 - 1
        or at.y0 < whole.y0 - 1
        or at.x1 > whole.x1 + 1
        or at.y1 > whole.y1 + 1
    ]


def letters(figure: Figure) -> list[str]:
    """The letters of the panels, in the order that a page is read: rows, and along them."""
    places = [(-at.y0, at.x0, name) for name, at, _ in written(figure) if len(name) == 1]
    return [name for *_, name in sorted((round(y), x, n) for y, x, n in places if n.isalpha())]
