"""A leaderboard as text, for the screen and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from keras_chrome.leaderboard.board import Leaderboard, group_titles, rows_of
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_table, markdown_table

if TYPE_CHECKING:
    import pandas as pd

_ALPHA = 0.05
_LEGEND = f"""\
- An epigenome's AUROC is the mean over folds of means over seeds. Mean, median, max and min are
  over epigenomes.
- SE over seeds: the standard error of the mean that comes from random training, by the variance
  over seeds in each epigenome. Blank where a model was trained with one seed.
- DeLong: paired test over the genes of an epigenome, of the AUROCs' means over seeds. It counts
  chance in the genes, not in the training. Of several epigenomes, the number with p < {_ALPHA}.
- Wilcoxon: signed-rank test over epigenomes.
- p-values are two-sided, with Holm's correction for the number of pairs of models."""
_SHORT_LEGEND = f"""\
DeLong: p on the test genes of one epigenome; of several, the number with p < {_ALPHA}. Wilcoxon: p
over epigenomes. Both with Holm's correction for the number of pairs of models."""

_Rows: TypeAlias = Sequence[Mapping[str, str]]


def summary(board: Leaderboard) -> str:
    """A leaderboard for the screen.

    Of the paired tests, those against the reference, or where it has no run, the best model.
    """
    blocks = []
    for group in _groups(board):
        against = group.models["reference"].iloc[0] or group.models["model"].iloc[0]
        blocks += [group.heading, *_blocks(group, format_table, against)]
    if len(board.paired_tests):
        blocks.append(_SHORT_LEGEND)
    return "\n\n".join([*blocks, *_left_out(board)])


def markdown(board: Leaderboard) -> str:
    """A leaderboard in Markdown, with the paired tests of all pairs of models."""
    blocks = ["# Leaderboard"]
    for group in _groups(board):
        blocks += [f"## {group.heading}", *_blocks(group, markdown_table)]
    return "\n\n".join([*blocks, "## How to read it", _LEGEND, *_left_out(board)]) + "\n"


class _Group(NamedTuple):
    """The rows of one label rule, split scheme and set of marks."""

    heading: str
    models: pd.DataFrame
    epigenomes: pd.DataFrame
    tests: pd.DataFrame


def _groups(board: Leaderboard) -> Iterator[_Group]:
    for group, title in group_titles(board.models).items():
        models, epigenomes, tests = (
            rows_of(group, table) for table in (board.models, board.epigenomes, board.paired_tests)
        )
        yield _Group(f"Test AUROC, {title}", models, epigenomes, tests)


def _blocks(
    group: _Group, table: Callable[[_Rows], str], against: str | None = None
) -> Iterator[str]:
    """The parts of a group: models, on what they were compared, paired tests."""
    yield table([_model_cells(row) for row in group.models.itertuples()])
    yield _shared_sentence(group.epigenomes)
    cells = [
        _pair_cells(of_pair, against)
        for pair, of_pair in group.tests.groupby(["model_a", "model_b"], sort=False)
        if against is None or against in pair
    ]
    if cells:
        yield table(cells)


def _left_out(board: Leaderboard) -> list[str]:
    if not board.left_out:
        return []
    lines = [f"- {path}: {reason}" for path, reason in board.left_out.items()]
    return [f"Runs left out: {len(lines)}", "\n".join(lines)]


def _model_cells(row: Any) -> dict[str, str]:
    cells = {"model": row.model}
    cells |= {name: _number(getattr(row, name)) for name in ("mean", "median", "max", "min")}
    cells["SE over seeds"] = _number(row.se_over_seeds)
    if row.reference:
        is_other = row.model != row.reference
        count = f"{row.num_improved} of {row.num_epigenomes}" if is_other else ""
        cells[f"better than {row.reference}"] = count
    return cells | {"epigenomes": str(row.num_epigenomes), "runs": str(row.num_runs)}


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _shared_sentence(epigenomes: pd.DataFrame) -> str:
    """On which epigenomes the models are compared, and why not on the others."""
    models = dict.fromkeys(epigenomes["model"])
    reasons = []
    for name, rows in epigenomes[~epigenomes["is_shared"]].groupby("epigenome"):
        missing = [model for model in models if model not in set(rows["model"])]
        reasons.append(f"{name} ({', '.join(missing) or 'some folds'} missing)")
    num_epigenomes = epigenomes["epigenome"].nunique()
    if not reasons:
        return f"Compared on every epigenome with runs ({num_epigenomes})."
    return (
        f"Compared on {num_epigenomes - len(reasons)} of {num_epigenomes} epigenomes, those on "
        f"which every model has every run; not on {', '.join(reasons)}."
    )


def _pair_cells(tests: pd.DataFrame, against: str | None) -> dict[str, str]:
    """The tests of a pair of models: DeLong's on genes, Wilcoxon's on epigenomes."""
    rows: list[Any] = list(tests.itertuples())
    delong = [row for row in rows if row.test == "DeLong"]
    (wilcoxon,) = (row for row in rows if row.test == "Wilcoxon")
    pair, sign = (wilcoxon.model_a, wilcoxon.model_b), 1
    if pair[0] == against:
        pair, sign = pair[::-1], -1
    if len(delong) == 1:
        on_genes = delong[0].note or f"p = {delong[0].p_holm:.2g}"
    else:
        is_higher = [sign * row.difference > 0 for row in delong if row.p_holm < _ALPHA]
        on_genes = f"{sum(is_higher)} higher, {len(is_higher) - sum(is_higher)} lower"
    return {
        "model": pair[0],
        "against": pair[1],
        "difference": f"{sign * wilcoxon.difference:+.4f}" if delong else "",
        "epigenomes": str(len(delong)),
        "DeLong": on_genes,
        "Wilcoxon": wilcoxon.note or f"p = {wilcoxon.p_holm:.2g}",
    }


def write_leaderboard(board: Leaderboard, directory: str | Path) -> None:
    """Write `leaderboard.csv`, `.md`, `.png` and `.svg`, `epigenomes.csv`, `paired_tests.csv`."""
    from keras_chrome.leaderboard.figure import draw_leaderboard

    write_outputs(
        directory,
        figures={"leaderboard": draw_leaderboard(board.models, board.epigenomes)},
        tables={
            "leaderboard": board.models,
            "epigenomes": board.epigenomes,
            "paired_tests": board.paired_tests,
        },
        texts={"leaderboard.md": markdown(board)},
    )
