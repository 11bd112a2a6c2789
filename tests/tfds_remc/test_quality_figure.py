import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_chrome.figures.palette import MARK_COLOURS, mark_text_colour
from tfds_remc.remc.expression import label_high
from tfds_remc.remc.overlap_agreement import OverlapAgreement, PairLags
from tfds_remc.remc.quality import Quality, measure_quality
from tfds_remc.remc.quality_figure import draw_agreement, draw_quality, write_quality
from tfds_remc.remc.simulation import SimulatedEpigenome, simulate


@pytest.fixture(scope="module")
def simulated() -> SimulatedEpigenome:
    return simulate(400)


def _measure(genes: SimulatedEpigenome, num_marks: int, label: np.ndarray) -> Quality:
    return measure_quality(
        genes.signal[:, :, :num_marks],
        genes.marks[:num_marks],
        genes.strand,
        flank_bp=5000,
        bin_bp=100,
        label=label,
    )


def _panels(figure: Figure) -> dict[str, list[np.ndarray]]:
    """The curves of each panel, by mark."""
    return {
        axes.get_title(loc="left"): [line.get_ydata() for line in axes.lines[:-1]]
        for axes in figure.axes
        if axes.axison and "Spearman" not in axes.get_title(loc="left")
    }


@pytest.mark.parametrize("num_marks", [1, 2, 5, 6])
def test_figure(simulated: SimulatedEpigenome, num_marks: int, tmp_path: Path) -> None:
    label = label_high(simulated.rpkm, float(np.median(simulated.rpkm)))
    quality = _measure(simulated, num_marks, label)
    figure = draw_quality(quality, title="demo")
    figure.savefig(tmp_path / "quality.png", dpi=50)
    panels = _panels(figure)
    assert tuple(panels) == simulated.marks[:num_marks]
    for mark in quality.marks:
        high, low = panels[mark.mark]
        assert tuple(high) == mark.profile_high
        assert tuple(low) == mark.profile_low
    matrices = [axes for axes in figure.axes if axes.images]
    assert len(matrices) == (num_marks > 1)
    for axes in matrices:
        assert len(axes.texts) == num_marks * (num_marks - 1) / 2
    assert figure.get_suptitle() == "demo   400 gene regions"


def test_names_of_marks_can_be_read(simulated: SimulatedEpigenome) -> None:
    """They have the colours that the gene figures give them, not the pale ones of lines."""
    label = label_high(simulated.rpkm, float(np.median(simulated.rpkm)))
    figure = draw_quality(_measure(simulated, len(simulated.marks), label))
    colours = {
        text.get_text(): text.get_color()
        for axes in figure.axes
        for text in axes.findobj(Text)
        if isinstance(text, Text) and text.get_text() in MARK_COLOURS and axes.lines
    }
    assert colours == {mark: mark_text_colour(mark) for mark in simulated.marks}


def test_figure_of_an_empty_mark_without_labels(
    simulated: SimulatedEpigenome, tmp_path: Path
) -> None:
    signal = simulated.signal.copy()
    signal[:, :, simulated.marks.index("H3K9me3")] = 0
    genes = dataclasses.replace(simulated, signal=signal)
    figure = draw_quality(_measure(genes, 6, np.full(400, -1)))
    figure.savefig(tmp_path / "quality.png", dpi=50)
    panels = _panels(figure)
    assert [len(curves) for curves in panels.values()] == [1] * 6
    assert not np.any(panels["H3K9me3"][0])
    assert not figure.legends


def test_figure_of_agreement(simulated: SimulatedEpigenome, tmp_path: Path) -> None:
    agreement = OverlapAgreement(
        same_strand=PairLags(40, 30, 0.5, (0, 2, 4, 30, 4, 0, 0)),
        opposite_strands=PairLags(0, 0, None, (0,) * 7),
        max_lag_bins=6,
        chance=0.1,
    )
    figure = draw_agreement(agreement, title="own")
    same, opposite = figure.axes
    assert [bar.get_height() for bar in same.patches] == [0, 0.05, 0.1, 0.75, 0.1, 0, 0]  # type: ignore[attr-defined]
    assert [bar.get_x() + bar.get_width() / 2 for bar in same.patches] == pytest.approx(  # type: ignore[attr-defined]
        [-6, -4, -2, 0, 2, 4, 6]
    )
    assert [text.get_text() for text in same.texts] == ["75.0 % agree\nmedian lag 0.5 bins"]
    assert opposite.get_title(loc="left") == "opposite strands, 0 pairs"
    assert not opposite.texts
    for few_or_many in (
        agreement,
        dataclasses.replace(agreement, same_strand=PairLags(2, 2, 0, (2,))),
    ):
        folder = tmp_path / str(few_or_many.num_pairs)
        folder.mkdir()
        quality = _measure(simulated, 1, np.full(400, -1))
        write_quality(dataclasses.replace(quality, agreement=few_or_many), folder, title="own")
    profiles = ["quality.json", "summary.txt", "tss_profiles.png", "tss_profiles.svg"]
    names = {
        path.name: sorted(p.name for p in path.glob("quality/*")) for path in tmp_path.iterdir()
    }
    assert names == {
        "2": profiles,
        "40": ["overlap_agreement.png", "overlap_agreement.svg", *profiles],
    }
