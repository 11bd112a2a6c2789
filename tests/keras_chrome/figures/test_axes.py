"""What figures share."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from keras_chrome.figures.axes import edges_kb, write_cells
from keras_chrome.figures.palette import contrast


def test_bins_have_one_edge_more() -> None:
    np.testing.assert_allclose(edges_kb([-200, -100, 0], 100), [-0.2, -0.1, 0, 0.1])


@pytest.mark.parametrize("colour_map", ["Greys", "RdBu_r", "Blues"])
def test_numbers_can_be_read_on_their_cells(colour_map: str) -> None:
    axes = Figure().subplots()
    values = np.linspace(-1, 1, 24).reshape(4, 6)
    values[0, 0] = np.nan
    cells = axes.imshow(values, cmap=colour_map)
    write_cells(axes, cells, values, sign="+")
    assert len(axes.texts) == 23
    for text in axes.texts:
        x, y = map(int, text.get_position())
        assert text.get_text() == f"{values[y, x]:+.2f}"
        assert contrast(to_hex(text.get_color()), to_hex(cells.to_rgba(values)[y, x])) > 4


def test_what_rounds_to_nothing_has_no_minus() -> None:
    axes = Figure().subplots()
    cells = axes.pcolormesh([[-0.001, 1]])
    write_cells(axes, cells, np.array([[-0.001, 1]]), offset=0.5)
    assert [text.get_text() for text in axes.texts] == ["0.00", "1.00"]
    assert [text.get_position() for text in axes.texts] == [(0.5, 0.5), (1.5, 0.5)]
