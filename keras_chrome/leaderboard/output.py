"""A leaderboard as text, for the screen and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from keras_chrome.leaderboard.board import Leaderboard, group_titles, rows_of, split_title
from keras_chrome.leaderboard.overview import interval, overview
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_table, markdown_table

if TYPE_CHECKING:
    import pandas as pd

_ALPHA = 0.05
_LEGEND = f"""\
- An epigenome's AUROC is the mean over folds of means over seeds. Mean, median, max and min are
  over epigenomes.
- The 95 % interval is over genes and seeds, by a hierarchical bootstrap of both; of a model with
  one seed it is over genes alone (DeLong's variance).
- SE over seeds: the standard error of the mean that comes from random training, by the variance
  over seeds in each epigenome. Blank where a model was trained with one seed.
- ECE: the expected calibration error of the test genes, in ten bins. Probabilities are too high
  where the mean prediction is above the share labelled high, as where a split has more genes
  labelled high in training than in test.
- DeLong: paired test over the genes of an epigenome, of the AUROCs' means over seeds. It counts
  chance in the genes, not in the training: two models that are alike, with three seeds whose AUROCs
  differ by 0.01, come out with p < 0.05 in 21 % of cases on 1,000 genes and 49 % on 5,442.
- Bootstrap: paired test over genes and seeds, which keeps to 5 %. Both models need two seeds,
  unless their training does not depend on it.
- Of several epigenomes, DeLong and bootstrap say in how many p < {_ALPHA}.
- Wilcoxon: signed-rank test over epigenomes, where there are six.
- p-values are two-sided, with Holm's correction for the number of pairs of models."""
_SHORT_LEGEND = f"""\
DeLong: p over the test genes of an epigenome, as if other seeds gave the same; with few seeds that
differ it finds differences that are none. Bootstrap: p over genes and seeds. Of several epigenomes,
the number with p < {_ALPHA}. Wilcoxon: p over epigenomes. All with Holm's correction for the number
of pairs of models."""
_LEGEND_OF_EXPRESSION = """\
- Pearson's r of predicted and measured log2(expression + 1) is the mean over folds of means over
  seeds, as are Spearman's rank correlation and R2. R2 is one less the squared error over that of
  the measured mean.
- The 95 % intervals are over genes and seeds, by a hierarchical bootstrap of both; of a model with
  one seed over genes alone. That of a difference is over the same samples of the genes."""

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
    blocks += [block for part in _correlations(board, format_table) for block in part]
    return "\n\n".join([*blocks, *_left_out(board)])


def markdown(board: Leaderboard) -> str:
    """A leaderboard in Markdown, with the paired tests of all pairs of models."""
    blocks = ["# Leaderboard"]
    if len(groups := list(_groups(board))) > 1:
        blocks += ["## Overview", *overview(board)]
    for group in groups:
        blocks += [f"## {group.heading}", *_blocks(group, markdown_table)]
    of_expression = list(_correlations(board, markdown_table))
    blocks += [block for heading, *parts in of_expression for block in (f"## {heading}", *parts)]
    legends = [_LEGEND] if groups else []
    legends += [_LEGEND_OF_EXPRESSION] if of_expression else []
    return "\n\n".join([*blocks, "## How to read it", *legends, *_left_out(board)]) + "\n"


class _Group(NamedTuple):
    """The rows of one label rule, split scheme and set of marks."""

    heading: str
    models: pd.DataFrame
    epigenomes: pd.DataFrame
    tests: pd.DataFrame
    ceilings: pd.DataFrame


def _groups(board: Leaderboard) -> Iterator[_Group]:
    for group, title in group_titles(board.models).items():
        tables = (board.models, board.epigenomes, board.paired_tests, board.ceilings)
        yield _Group(f"Test AUROC, {title}", *(rows_of(group, table) for table in tables))


def _blocks(
    group: _Group, table: Callable[[_Rows], str], against: str | None = None
) -> Iterator[str]:
    """The parts of a group: models, calibration, on what they were compared, paired tests."""
    shared = group.epigenomes[group.epigenomes["is_shared"]]
    of_one = shared.set_index("model") if shared["epigenome"].nunique() == 1 else None
    yield table([_model_cells(row, of_one) for row in group.models.itertuples()])
    yield from map(_ceiling_sentence, group.ceilings.itertuples())
    yield "Calibration on the same genes:"
    yield table([_calibration_cells(row) for row in group.models.itertuples()])
    yield _shared_sentence(group.epigenomes)
    has_wilcoxon = any(group.tests.loc[group.tests["test"] == "Wilcoxon", "p_value"].notna())
    cells = [
        _pair_cells(of_pair, against, has_wilcoxon=has_wilcoxon)
        for pair, of_pair in group.tests.groupby(["model_a", "model_b"], sort=False)
        if against is None or against in pair
    ]
    if cells:
        yield table(cells)


def _ceiling_sentence(row: Any) -> str:
    genes = f"{row.num_genes:,} genes"
    if row.num_unknown:
        genes += f", {row.num_unknown:,} more without"
    return (
        f"A ceiling, not a competitor, on {row.epigenome}: expression_elsewhere, the mean "
        f"logarithm of the\nsame gene's expression in other epigenomes, which uses no mark: "
        f"{_number(row.auroc)} ({interval(row)}; {genes})."
    )


def _correlations(board: Leaderboard, table: Callable[[_Rows], str]) -> Iterator[list[str]]:
    """Of runs of regression, by split, marks and epigenome: a heading and a table."""
    columns = ["split", "marks", "epigenome"]
    has_several_marks = board.correlations["marks"].nunique() > 1
    groups: Any = board.correlations.groupby(columns, sort=False)
    for (split, marks, epigenome), rows in groups:
        heading = f"Test Pearson's r of log2(expression + 1), {epigenome}, {split_title(split)}"
        if has_several_marks:
            heading += f", marks {marks}"
        yield [heading, table([_correlation_cells(row) for row in rows.itertuples()])]


def _correlation_cells(row: Any) -> dict[str, str]:
    difference = ""
    if not math.isnan(row.difference):
        low, high = (_number(end, "+.4f") for end in (row.difference_low, row.difference_high))
        difference = f"{row.difference:+.4f} ({low} to {high})"
    return {
        "model": row.model,
        "Pearson's r": _number(row.pearson),
        "95 % interval": f"{row.pearson_low:.3f}-{row.pearson_high:.3f}",
        "SE over seeds": _number(row.se_over_seeds),
        "Spearman's": _number(row.spearman),
        "R2": _number(row.r2),
        f"r against {row.against}": difference,
        "runs": str(row.num_runs),
    }


def _left_out(board: Leaderboard) -> list[str]:
    if not board.left_out:
        return []
    lines = [f"- {path}: {reason}" for path, reason in board.left_out.items()]
    return [f"Runs left out: {len(lines)}", "\n".join(lines)]


def _model_cells(row: Any, of_one: pd.DataFrame | None) -> dict[str, str]:
    """A model over epigenomes, or on the one, of which there is an interval."""
    cells = {"model": row.model}
    if of_one is None:
        cells |= {name: _number(getattr(row, name)) for name in ("mean", "median", "max", "min")}
    else:
        cells |= {"AUROC": _number(row.mean), "95 % interval": interval(of_one.loc[row.model])}
    cells["SE over seeds"] = _number(row.se_over_seeds)
    if row.reference:
        is_other = row.model != row.reference
        count = f"{row.num_improved} of {row.num_epigenomes}" if is_other else ""
        cells[f"better than {row.reference}"] = count
    if of_one is None:
        cells["epigenomes"] = str(row.num_epigenomes)
    return cells | {"runs": str(row.num_runs)}


def _calibration_cells(row: Any) -> dict[str, str]:
    return {
        "model": row.model,
        "ECE": _number(row.ece),
        "mean prediction": _number(row.mean_probability),
        "labelled high": _number(row.positive_rate),
    }


def _number(value: float, form: str = ".4f") -> str:
    return "" if math.isnan(value) else format(value, form)


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


def _pair_cells(tests: pd.DataFrame, against: str | None, *, has_wilcoxon: bool) -> dict[str, str]:
    """The tests of a pair of models, in each epigenome and over epigenomes."""
    rows: list[Any] = list(tests.itertuples())
    (wilcoxon,) = (row for row in rows if row.test == "Wilcoxon")
    pair, sign = (wilcoxon.model_a, wilcoxon.model_b), 1
    if pair[0] == against:
        pair, sign = pair[::-1], -1
    cells = {
        "model": pair[0],
        "against": pair[1],
        "difference": _number(sign * wilcoxon.difference, "+.4f"),
        "epigenomes": str(wilcoxon.num_epigenomes),
    }
    for test in ("DeLong", "bootstrap"):
        cells[test] = _tests_of_epigenomes([row for row in rows if row.test == test], sign)
    if has_wilcoxon:
        cells["Wilcoxon"] = wilcoxon.note or f"p = {wilcoxon.p_holm:.2g}"
    return cells


def _tests_of_epigenomes(rows: Sequence[Any], sign: int) -> str:
    """The p-value, or of several epigenomes the number in which a model is higher or lower."""
    if len(rows) == 1:
        return rows[0].note or f"p = {rows[0].p_holm:.2g}"
    is_higher = [sign * row.difference > 0 for row in rows if row.p_holm < _ALPHA]
    return f"{sum(is_higher)} higher, {len(is_higher) - sum(is_higher)} lower"


def write_leaderboard(board: Leaderboard, directory: str | Path) -> list[Path]:
    """Write `leaderboard.csv`, `.md`, `.png` and `.svg`, and a table of each other attribute.

    Of runs of one task alone, what the other one's would be in is left out.
    """
    from keras_chrome.leaderboard.figure import draw_leaderboard

    figures, tables = {}, {}
    if len(board.models):
        figures["leaderboard"] = draw_leaderboard(board.models, board.epigenomes, board.ceilings)
        tables = {
            "leaderboard": board.models,
            "epigenomes": board.epigenomes,
            "paired_tests": board.paired_tests,
            "ceilings": board.ceilings,
        }
    if len(board.correlations):
        tables["correlations"] = board.correlations
    return write_outputs(
        directory, figures=figures, tables=tables, texts={"leaderboard.md": markdown(board)}
    )
