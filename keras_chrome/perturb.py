"""Change a mark's signal in silico and see what the model then answers.

As a command: `python -m keras_chrome.perturb RUN --mark H3K27me3 --scale 0`, a table of genes, or
without `--mark` a matrix of all marks and pairs of marks.
"""

import argparse
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_chrome.command_line import (
    add_options,
    format_table,
    import_tensorflow_quietly,
    option,
    run_command,
)
from keras_chrome.errors import InputError
from keras_chrome.study import ON_PROBABILITY, Study, add_study_options, open_study, study_options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_chrome.data import Genes
    from keras_chrome.importance.network import Model

# A forest of some hundred trees says 0 and 1, of which there are no log-odds.
_MOST_CERTAIN = 0.999
_NUM_SHOWN = 5


@dataclass(frozen=True)
class Perturbation:
    """What is done to the signal of a mark, in a part of the gene region.

    The signal is shifted, then multiplied, then added to; what comes out below 0 is 0.

    Attributes:
        mark: The mark; None where every mark is taken in turn.
        scale: Factor of the signal as measured; 0 takes the mark away.
        shift_bins: Whole bins by which the signal moves in the direction of transcription,
            negative against it. What leaves the part is lost, what is left behind is 0.
        add: What is added to each bin, in the unit of the signal.
        from_bp: Where the part starts, in bp from the TSS in the direction of transcription; the
            region's start if None. A bin belongs to the part if it lies wholly inside.
        to_bp: Where the part ends, exclusive; the region's end if None.

    Raises:
        InputError: If a number is out of its range, or nothing would change.
    """

    mark: str | None = option("the mark to change (default: every mark and pair)", default=None)
    scale: float = option("factor of the signal; 0 takes the mark away", default=1.0)
    shift_bins: int = option("bins to move the signal along transcription", default=0)
    add: float = option("signal to add to each bin", default=0.0)
    from_bp: int | None = option("change only from here, in bp from the TSS", default=None)
    to_bp: int | None = option("change only up to here, in bp from the TSS", default=None)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale >= 0):
            raise InputError(
                f"Expected a factor of 0 or more: signal is never negative. Received: "
                f"scale={self.scale}"
            )
        if not math.isfinite(self.add):
            raise InputError(f"Expected a number to add. Received: add={self.add}")
        if (self.scale, self.shift_bins, self.add) == (1, 0, 0):
            raise InputError(
                "Expected something to change. Received: scale=1, shift_bins=0, add=0. "
                "scale=0 takes a mark away"
            )

    @property
    def name(self) -> str:
        """What is done to which mark, as part of a file name."""
        parts = [
            self.mark or "all_marks",
            f"scale{self.scale:g}" if self.scale != 1 else "",
            f"shift{self.shift_bins:+d}" if self.shift_bins else "",
            f"add{self.add:g}" if self.add else "",
            f"from{self.from_bp}" if self.from_bp is not None else "",
            f"to{self.to_bp}" if self.to_bp is not None else "",
        ]
        return "_".join(filter(None, parts))

    @property
    def is_directed(self) -> bool:
        """Whether it matters which way a gene is transcribed."""
        is_symmetric = (self.from_bp, self.to_bp) == (None, None) or (
            self.from_bp is not None and self.to_bp == -self.from_bp
        )
        return self.shift_bins != 0 or not is_symmetric

    def bins(self, *, num_bins: int, bin_bp: int, flank_bp: int) -> slice:
        """The bins of the part, in the direction of transcription.

        Raises:
            InputError: If no bin lies wholly inside.
        """
        first = 0 if self.from_bp is None else math.ceil((self.from_bp + flank_bp) / bin_bp)
        end = num_bins if self.to_bp is None else (self.to_bp + flank_bp) // bin_bp
        first, end = max(first, 0), min(end, num_bins)
        if first >= end:
            raise InputError(
                f"Expected a part that holds a whole bin of {bin_bp} bp, within {-flank_bp} to "
                f"{num_bins * bin_bp - flank_bp} bp from the TSS. Received: "
                f"from_bp={self.from_bp}, to_bp={self.to_bp}"
            )
        return slice(first, end)


class Scores(NamedTuple):
    """What a model says of genes, before it is turned into a call.

    Attributes:
        probability: float64 `(genes,)`, of high expression.
        logit: float64 `(genes,)`: a network's own; of a baseline, which has none, the log-odds of
            its probability clipped to [0.001, 0.999].
    """

    probability: "np.ndarray"
    logit: "np.ndarray"


def perturb_signal(
    signal: "np.ndarray", perturbation: Perturbation, *, mark: int, bins: slice
) -> "np.ndarray":
    """Perturb an array.

    Args:
        signal: Float `(genes, bins, marks)`, as measured, in the direction of transcription.
        perturbation: What is done.
        mark: Position of the mark on the last axis.
        bins: The part of the region, from `Perturbation.bins`.

    Returns:
        A perturbed copy.

    Example:
        >>> perturb_signal(signal, Perturbation(scale=0), mark=3, bins=slice(40, 60))
    """
    import numpy as np

    part = signal[:, bins, mark]
    num_bins = part.shape[1]
    shift = min(max(perturbation.shift_bins, -num_bins), num_bins)
    moved = np.zeros_like(part)
    moved[:, max(shift, 0) : num_bins + min(shift, 0)] = part[
        :, max(-shift, 0) : num_bins - max(shift, 0)
    ]
    perturbed = signal.copy()
    perturbed[:, bins, mark] = np.maximum(moved * perturbation.scale + perturbation.add, 0)
    return perturbed


def perturb(
    run_dir: str | Path,
    perturbation: Perturbation,
    *,
    split: str | None = None,
    gene: str | None = None,
    dataset: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
) -> "pd.DataFrame":
    """Predict genes before and after a mark is changed.

    The change is made in the direction of transcription, and then turned back: the model sees the
    bins as it was trained on them. A gene of unknown direction is changed as it stands.

    It tells what the model has learnt of a mark, not what an experiment on it would show: in a
    cell the other marks would follow.

    Args:
        run_dir: A run directory, of a network or a baseline.
        perturbation: What is done to which mark.
        split: `train`, `valid`, `test` or `all`; `test` if None, and with a gene any.
        gene: This one only: Ensembl id or symbol.
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: Label rule; the run's own if None. Genes without such a label are left out.

    Returns:
        A row a gene, the largest change of probability first: `gene_id`, `symbol`, `chrom`,
        `tss`, `strand`, `label`, `rpkm`; `probability_before`, `probability_after` and their
        difference `change`; `logit_change` (see `Scores.logit`); `is_flipped`, whether the
        probability crosses 0.5; `has_direction`, false where the direction of transcription is
        unknown.

    Raises:
        InputError: If the run, the dataset or the gene is missing, they do not fit each other, or
            the model has no such mark or the region no such part.

    Example:
        >>> perturb("runs/E012", Perturbation(mark="H3K27me3", scale=0)).head()
    """
    import pandas as pd

    study = open_study(
        run_dir, split=split, gene=gene, dataset=dataset, data_dir=data_dir, labels=labels
    )
    mark = _mark_position(study, perturbation.mark)
    before, after = _scores(study, [(), (mark,)], perturbation)
    genes = study.genes
    table = pd.DataFrame(
        {
            **{name: getattr(genes, name) for name in ("gene_id", "symbol", "chrom", "tss")},
            **{name: getattr(genes, name) for name in ("strand", "label", "rpkm")},
            "probability_before": before.probability,
            "probability_after": after.probability,
            "change": after.probability - before.probability,
            "logit_change": after.logit - before.logit,
            "is_flipped": _is_high(after) != _is_high(before),
            "has_direction": _has_direction(genes),
        }
    )
    return table.sort_values("change", key=abs, ascending=False, kind="stable", ignore_index=True)


def perturb_all_marks(
    run_dir: str | Path,
    perturbation: Perturbation,
    *,
    split: str | None = None,
    dataset: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
) -> "pd.DataFrame":
    """Do the same to each mark, and to each pair of marks at once.

    Args:
        run_dir: A run directory, of a network or a baseline.
        perturbation: What is done, without a mark.
        split: As in `perturb`, as are the others.
        dataset: Likewise.
        data_dir: Likewise.
        labels: Likewise.

    Returns:
        A row for `mark_a`, `mark_b` (the same where a mark is changed alone) and `predicted`, the
        genes that were `high` or `low` before, or `all`. Means over these: `logit_change`,
        `probability_change`; `interaction`, by how much the logit changes more than the sum of
        what the two marks change alone, NaN for a single mark. `share_to_high` and
        `share_to_low`, the shares that cross 0.5; `num_genes`, and how many of them have no known
        direction of transcription, `num_without_direction`. Means of no gene are NaN.

    Raises:
        InputError: As `perturb`, and if a mark is given.
    """
    import numpy as np
    import pandas as pd

    if perturbation.mark is not None:
        raise InputError(
            f"Expected no mark: every mark is taken. Received: mark={perturbation.mark!r}"
        )
    study = open_study(run_dir, split=split, dataset=dataset, data_dir=data_dir, labels=labels)
    names = study.run.marks
    # Each mark alone comes first, so that the pairs find what it did.
    single = [(m,) for m in range(len(names))]
    changed = [*single, *itertools.combinations(range(len(names)), 2)]
    scores = _scores(study, [(), *changed], perturbation)
    before = next(scores)
    was_high = _is_high(before)
    has_direction = _has_direction(study.genes)
    groups = {"all": np.ones_like(was_high), "high": was_high, "low": ~was_high}
    alone: dict[int, np.ndarray] = {}
    rows: list[dict[str, Any]] = []
    for marks, after in zip(changed, scores, strict=True):
        logit_change = after.logit - before.logit
        interaction = np.full_like(logit_change, np.nan)
        if len(marks) == 1:
            alone[marks[0]] = logit_change
        else:
            interaction = logit_change - alone[marks[0]] - alone[marks[1]]
        of_genes = pd.DataFrame(
            {
                "logit_change": logit_change,
                "probability_change": after.probability - before.probability,
                "interaction": interaction,
                "share_to_high": _is_high(after) & ~was_high,
                "share_to_low": ~_is_high(after) & was_high,
            }
        )
        for group, chosen in groups.items():
            rows.append(
                {
                    "mark_a": names[marks[0]],
                    "mark_b": names[marks[-1]],
                    "predicted": group,
                    "num_genes": int(chosen.sum()),
                    "num_without_direction": int((chosen & ~has_direction).sum()),
                    **of_genes[chosen].mean(),
                }
            )
    return pd.DataFrame(rows)


def _scores(
    study: Study, changed: Sequence[tuple[int, ...]], perturbation: Perturbation
) -> Iterator[Scores]:
    """What the model says of the genes, for each set of marks that is changed at once."""
    from keras_chrome.orientation import along_transcription

    dataset, genes = study.dataset, study.genes
    bins = perturbation.bins(
        num_bins=dataset.num_bins, bin_bp=dataset.bin_bp, flank_bp=dataset.flank_bp
    )

    def versions() -> Iterator["np.ndarray"]:
        oriented = along_transcription(genes.signal, genes)
        for marks in changed:
            perturbed = oriented
            for mark in marks:
                perturbed = perturb_signal(perturbed, perturbation, mark=mark, bins=bins)
            # The same genes are turned once more, and so back.
            yield along_transcription(perturbed, genes)

    return _model_scores(study.model, versions(), len(changed))


def _model_scores(
    model: "Model", versions: Iterable["np.ndarray"], num_versions: int
) -> Iterator[Scores]:
    import keras
    import numpy as np
    from scipy.special import expit, logit
    from tqdm import tqdm

    from keras_chrome.importance.batches import answers_in_batches
    from keras_chrome.importance.network import logit_answer

    if not isinstance(model, keras.Model):
        for version in tqdm(versions, "perturb", num_versions, disable=None):
            probability = np.asarray(model(version)["probability"], np.float64)
            yield Scores(probability, logit(np.clip(probability, 1 - _MOST_CERTAIN, _MOST_CERTAIN)))
        return
    for answers in answers_in_batches(
        logit_answer(model),
        versions,
        num_versions=num_versions,
        batch_size=512,
        title="perturb",
    ):
        logits = answers["logit"][:, 0].astype(np.float64)
        yield Scores(expit(logits), logits)


def _mark_position(study: Study, mark: str | None) -> int:
    marks = study.run.marks
    if mark not in marks:
        raise InputError(f"Expected one of the run's marks, {', '.join(marks)}. Received: {mark=}")
    return marks.index(mark)


def _is_high(scores: Scores) -> "np.ndarray":
    return scores.probability >= ON_PROBABILITY


def _has_direction(genes: "Genes") -> "np.ndarray":
    return (genes.strand != "") | genes.oriented


def format_perturbation(table: "pd.DataFrame", perturbation: Perturbation) -> str:
    """What `perturb` returns as words, and the genes that change most either way."""
    was_high = table["probability_before"] >= ON_PROBABILITY
    num_flipped = [int(table["is_flipped"][group].sum()) for group in (~was_high, was_high)]
    paragraphs = [
        f"{len(table)} genes: mean change of probability {table['change'].mean():+.4f}, of logit "
        f"{table['logit_change'].mean():+.4f}; {num_flipped[0]} of {int((~was_high).sum())} "
        f"predicted low become high, {num_flipped[1]} of {int(was_high.sum())} predicted high "
        "become low"
    ]
    if perturbation.is_directed:
        paragraphs.append(_without_direction(int((~table["has_direction"]).sum())))
    for title, genes in (
        ("up", table[table["change"] > 0].head(_NUM_SHOWN)),
        ("down", table[table["change"] < 0].head(_NUM_SHOWN)),
    ):
        if len(genes):
            paragraphs.append(format_table([_shown(gene, title) for _, gene in genes.iterrows()]))
    return "\n\n".join(paragraphs)


def _shown(gene: "pd.Series", title: str) -> dict[str, Any]:
    return {
        title: gene["symbol"] or gene["gene_id"],
        "label": "high" if gene["label"] else "low",
        "RPKM": float(gene["rpkm"]),
        "before": gene["probability_before"],
        "after": gene["probability_after"],
        "change": gene["change"],
        "logit change": gene["logit_change"],
    }


def format_matrix(matrix: "pd.DataFrame", perturbation: Perturbation) -> str:
    """What `perturb_all_marks` returns: the single marks, and the pairs that interact most."""
    of_groups = matrix[matrix["predicted"] != "all"]
    is_single = of_groups["mark_a"] == of_groups["mark_b"]
    strongest = of_groups[~is_single].sort_values("interaction", key=abs, ascending=False)
    paragraphs = [format_table([_shown_effect(row) for _, row in of_groups[is_single].iterrows()])]
    if len(strongest):
        shown = [
            {**_shown_effect(row), "interaction": row["interaction"]}
            for _, row in strongest.head(_NUM_SHOWN).iterrows()
        ]
        paragraphs.append(format_table(shown))
    if perturbation.is_directed:
        of_all = matrix[matrix["predicted"] == "all"].iloc[0]
        paragraphs.append(_without_direction(of_all["num_without_direction"]))
    return "\n\n".join(paragraphs)


def _shown_effect(row: "pd.Series") -> dict[str, Any]:
    marks = dict.fromkeys((row["mark_a"], row["mark_b"]))
    return {
        "changed": " + ".join(marks),
        "predicted": row["predicted"],
        "genes": row["num_genes"],
        "logit change": row["logit_change"],
        "probability change": row["probability_change"],
        "share flipped": row["share_to_high"] + row["share_to_low"],
    }


def _without_direction(num_genes: int) -> str:
    return f"{num_genes} genes of unknown strand were changed along the genome"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.perturb",
        description="Change the signal of a mark and see how a run's predictions change, gene by "
        "gene, or do so for every mark and every pair of marks.",
    )
    parser.add_argument("run", help="run directory")
    add_options(parser, Perturbation)
    parser.add_argument("--all-marks", action="store_true", help="the same as no --mark")
    parser.add_argument("--gene", help="with --mark, one gene of any split: Ensembl id or symbol")
    add_study_options(parser)
    parser.add_argument("--out", help="directory to write to (default: RUN/perturbation)")
    given = parser.parse_args(argv)
    names = ("mark", "scale", "shift_bins", "add", "from_bp", "to_bp")
    perturbation = Perturbation(**{n: getattr(given, n) for n in names if hasattr(given, n)})
    if perturbation.mark is not None and given.all_marks:
        raise InputError(
            f"Expected --mark or --all-marks. Received: both, mark={perturbation.mark!r}"
        )
    if perturbation.mark is None and given.gene:
        raise InputError(f"Expected --mark with --gene. Received: gene={given.gene!r} alone")
    import_tensorflow_quietly()
    from keras_chrome.run_directory import write_csv, write_figure

    directory = Path(given.out) if given.out else Path(given.run) / "perturbation"
    stem = directory / f"{perturbation.name}-{given.gene or given.split or 'test'}"
    path = stem.with_name(f"{stem.name}.csv")
    if perturbation.mark is None:
        from keras_chrome.perturbation_figure import draw_perturbation

        matrix = perturb_all_marks(given.run, perturbation, **study_options(given))
        print(format_matrix(matrix, perturbation))
        write_csv(path, matrix)
        write_figure(stem, draw_perturbation(matrix))
    else:
        table = perturb(given.run, perturbation, gene=given.gene, **study_options(given))
        print(format_perturbation(table, perturbation))
        write_csv(path, table)
    print(f"\n{path}")


if __name__ == "__main__":
    run_command(main)
