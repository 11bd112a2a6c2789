"""Compare two epigenomes: which genes switch, and what changed in signal, alpha and beta.

As a command: `python -m keras_chrome.contrast RUN_A RUN_B`.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.command_line import format_table, import_tensorflow_quietly, run_command
from keras_chrome.errors import InputError
from keras_chrome.vocabulary import LABELS, SPLITS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_chrome.data import Genes
    from keras_chrome.prediction import Prediction
    from keras_chrome.study import Study

_NUM_RESAMPLES = 1000
_NUM_SHOWN = 10
# The predicted changes whose agreement with the measured ones is summed up.
PREDICTED = ("difference", "signal_effect_a", "signal_effect_b", "signal_effect", "model_effect")


@dataclass(frozen=True)
class Contrast:
    """Epigenome B against epigenome A; every change is B minus A.

    Attributes:
        name_a: Run and dataset of A, in words.
        name_b: Likewise of B.
        marks: The marks of both runs.
        pseudocount: RPKM that was added to both before the logarithm of their ratio.
        genes: A row a gene in both, the largest predicted `difference` first. Names as of A:
            `gene_id`, `symbol`, `chrom`, `tss`, `strand`. Measured: `label_a`, `label_b`;
            `measured`, `gained` where the label goes from low to high, `lost` where from high to
            low, else `same`; `rpkm_a`, `rpkm_b`, `log2_fold_change`. Predicted: `probability_a`
            and `probability_b`, each by the epigenome's own model; their `difference`;
            `predicted`, likewise, at a probability of 0.5. Attributed: `probability_a_on_b`,
            model A on B's signal, and `probability_b_on_a`; `signal_effect_a`, how much model A's
            answer changes with the signal, and `signal_effect_b`; `signal_effect`, their mean,
            and `model_effect`, the rest of the difference. And a column a mark, such as
            `signal_change_H3K4me3`: `signal_change`, of the mean over bins of log(1 + signal);
            where both runs have alpha, `alpha_distance`, the total variation distance of the two
            alphas, and `alpha_shift_bp`, how far alpha's centre of mass moves in the direction of
            transcription, NaN where the strand is unknown; where both have beta, `beta_change`.
        agreement: A row for each of `PREDICTED`: `auroc`, with which it tells the gained genes
            from the lost ones, of `num_switching` genes; `spearman`, its rank correlation with
            `log2_fold_change`, over `num_with_rpkm` genes. Both with `_low` and `_high`, a 95 %
            interval over bootstrap samples of the genes; NaN where they are not defined.
        mark_changes: A row for a `quantity`, a `mark` and a group of `genes`, by the measured
            change: `gained`, `lost`, `switching` (either) and `same`. `mean` and its interval
            `low` and `high`, over `num_genes`. `beta_size` is the size of `beta_change`.
        num_only_a: Genes of A that B lacks in this split, left out.
        num_only_b: Genes of B that A lacks.
        num_unlabelled: Genes, of A and of B, left out because the label rule says nothing of them.
        num_unturnable: Genes left out because A and B hold them in directions of which the strand,
            which is unknown, would have to tell whether they are the same.
    """

    name_a: str
    name_b: str
    marks: tuple[str, ...]
    pseudocount: float
    genes: "pd.DataFrame"
    agreement: "pd.DataFrame"
    mark_changes: "pd.DataFrame"
    num_only_a: int
    num_only_b: int
    num_unlabelled: tuple[int, int]
    num_unturnable: int


def contrast(
    run_a: str | Path,
    run_b: str | Path,
    *,
    split: str | None = None,
    data_dir: str | None = None,
    labels: str | None = None,
    pseudocount: float = 1.0,
    seed: int = 0,
) -> Contrast:
    """Compare two epigenomes by a run of each.

    Each run's model predicts its own epigenome, and the other's: a change that model A sees
    between the two signals, too, is one of the signal and not of the models. `signal_effect` is
    the mean of what either model sees, which is the signal's Shapley value in the difference.

    Signals of different experiments differ in depth, and cross-prediction does not correct for it.

    Args:
        run_a: Run directory of a model of epigenome A.
        run_b: The same of epigenome B, with the same marks, bins and label rule.
        split: `train`, `valid`, `test` or `all`; `test` if None. A gene is compared if it is in
            this split of both.
        data_dir: Where datasets were built; where each run found its own if None.
        labels: Label rule; the runs' own if None. Genes without such a label are left out.
        pseudocount: RPKM to add to both before the logarithm of their ratio is taken.
        seed: Seeds the bootstrap.

    Raises:
        InputError: If a run or dataset is missing, the runs differ in marks, bins or label rule,
            or have no gene in common.

    Example:
        >>> contrast("runs/E116", "runs/E123").agreement
    """
    import numpy as np
    import pandas as pd

    from keras_chrome.prediction import predict
    from keras_chrome.study import open_study

    if not (math.isfinite(pseudocount) and pseudocount > 0):
        raise InputError(f"Expected a pseudocount above 0 RPKM. Received: {pseudocount=}")
    a, b = (
        open_study(run, split=split, data_dir=data_dir, labels=labels) for run in (run_a, run_b)
    )
    _check_comparable(a, b)
    num_matched = len(match_genes(a.genes, b.genes)[0])
    of_a, of_b = genes_in_both(a.genes, b.genes)
    if not len(of_a):
        raise InputError(
            f"Expected genes, by id and TSS, that are in split {a.genes.split!r} of both runs. "
            f"Received: {len(a.genes)} genes of {a.dataset.name}, {len(b.genes)} of "
            f"{b.dataset.name}, none in both; --split all compares all of them"
        )
    signal_a, signal_b = of_a.signal, of_b.signal
    own_a, own_b = predict(a.model, signal_a), predict(b.model, signal_b)
    columns = {
        **_measured(of_a, of_b, pseudocount),
        **attribution(
            own_a.probability,
            own_b.probability,
            predict(a.model, _turned(signal_b, of_b, of_a)).probability,
            predict(b.model, _turned(signal_a, of_a, of_b)).probability,
        ),
        **_mark_columns(of_a, of_b, own_a, own_b, marks=a.run.marks, bin_bp=a.dataset.bin_bp),
    }
    genes = pd.DataFrame(columns)
    order = np.argsort(-abs(genes["difference"].to_numpy()), kind="stable")
    genes = genes.iloc[order].reset_index(drop=True)
    return Contrast(
        name_a=f"{a.run.path.name} ({a.dataset.name})",
        name_b=f"{b.run.path.name} ({b.dataset.name})",
        marks=a.run.marks,
        pseudocount=pseudocount,
        genes=genes,
        agreement=agreement(genes, seed=seed),
        mark_changes=mark_changes(genes, a.run.marks, seed=seed),
        num_only_a=len(a.genes) - num_matched,
        num_only_b=len(b.genes) - num_matched,
        num_unlabelled=(a.genes.num_unlabelled, b.genes.num_unlabelled),
        num_unturnable=num_matched - len(of_a),
    )


def match_genes(a: "Genes", b: "Genes") -> "tuple[np.ndarray, np.ndarray]":
    """Where the genes stand that are in both, by id and TSS.

    A gene that stands twice is matched first with first, second with second.

    Returns:
        Positions in A, ascending, and in B, of the same genes in the same order.
    """
    import pandas as pd

    def keys(genes: "Genes") -> pd.DataFrame:
        table = pd.DataFrame({"gene_id": genes.gene_id, "tss": genes.tss})
        times = table.groupby(["gene_id", "tss"]).cumcount()
        return table.assign(times=times, position=range(len(table)))

    both = keys(a).merge(keys(b), on=["gene_id", "tss", "times"]).sort_values("position_x")
    return both["position_x"].to_numpy(), both["position_y"].to_numpy()


def genes_in_both(a: "Genes", b: "Genes") -> "tuple[Genes, Genes]":
    """The genes of `match_genes`, of A and of B, with the strand that either of them knows.

    A gene that only one of the two holds in the direction of transcription is left out if neither
    knows its strand.
    """
    import numpy as np

    of_a, of_b = (_taken(g, at) for g, at in zip((a, b), match_genes(a, b), strict=True))
    strand = np.where(of_a.strand == "", of_b.strand, of_a.strand)
    can_turn = (of_a.oriented == of_b.oriented) | (strand != "")
    of_a, of_b = (_taken(replace(g, strand=strand), can_turn) for g in (of_a, of_b))
    return of_a, of_b


def attribution(
    own_a: "np.ndarray", own_b: "np.ndarray", a_on_b: "np.ndarray", b_on_a: "np.ndarray"
) -> "dict[str, np.ndarray]":
    """Attribute the difference of two models' answers to the signal and to the models.

    Args:
        own_a: Floats `(genes,)`, probability by model A on A's signal.
        own_b: By model B on B's signal.
        a_on_b: By model A on B's signal.
        b_on_a: By model B on A's signal.

    Returns:
        The columns of `Contrast.genes` from `probability_a` to `model_effect`, float64.
    """
    import numpy as np

    own_a, own_b, a_on_b, b_on_a = (
        np.asarray(p, np.float64) for p in (own_a, own_b, a_on_b, b_on_a)
    )
    difference = own_b - own_a
    signal_effect = ((a_on_b - own_a) + (own_b - b_on_a)) / 2
    return {
        "probability_a": own_a,
        "probability_b": own_b,
        "difference": difference,
        "predicted": _switch(own_a > 0.5, own_b > 0.5),
        "probability_a_on_b": a_on_b,
        "probability_b_on_a": b_on_a,
        "signal_effect_a": a_on_b - own_a,
        "signal_effect_b": own_b - b_on_a,
        "signal_effect": signal_effect,
        "model_effect": difference - signal_effect,
    }


def alpha_distance(alpha_a: "np.ndarray", alpha_b: "np.ndarray") -> "np.ndarray":
    """The total variation distance of two attentions over bins.

    Args:
        alpha_a: Floats `(genes, marks, bins)`, summing to one over bins.
        alpha_b: The same, its bins in the same direction.

    Returns:
        Floats `(genes, marks)` in [0, 1]: the share of attention that lies elsewhere.
    """
    return abs(alpha_b - alpha_a).sum(axis=-1) / 2


def alpha_shift_bp(alpha_a: "np.ndarray", alpha_b: "np.ndarray", bin_bp: int) -> "np.ndarray":
    """How far the centre of mass of the attention moves, in bp along the bins.

    Args:
        alpha_a: Floats `(genes, marks, bins)`, summing to one over bins.
        alpha_b: The same, its bins in the same direction.
        bin_bp: Width of a bin in bp.

    Returns:
        Floats `(genes, marks)`.
    """
    import numpy as np

    return (alpha_b - alpha_a) @ (np.arange(alpha_a.shape[-1]) * float(bin_bp))


def agreement(genes: "pd.DataFrame", *, seed: int = 0) -> "pd.DataFrame":
    """How well the predicted changes agree with the measured ones: `Contrast.agreement`."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import roc_auc_score

    from keras_chrome.metrics import auroc_interval

    switching = genes[genes["measured"] != "same"]
    gained = (switching["measured"] == "gained").to_numpy(int)
    with_rpkm = genes[genes["log2_fold_change"].notna()]
    fold_change = with_rpkm["log2_fold_change"].to_numpy()
    rows = []
    for name in PREDICTED:
        auroc, auroc_low, auroc_high = [math.nan] * 3
        if len(np.unique(gained)) == 2:
            of_switching = switching[name].to_numpy()
            auroc = float(roc_auc_score(gained, of_switching))
            auroc_low, auroc_high = auroc_interval(gained, of_switching, seed=seed)
        correlation = weighted_spearman(with_rpkm[name].to_numpy(), fold_change)
        spearman, low, high = _with_interval(correlation, len(with_rpkm), seed=seed)
        rows.append(
            {
                "predicted_by": name,
                "auroc": auroc,
                "auroc_low": auroc_low,
                "auroc_high": auroc_high,
                "num_switching": len(switching),
                "spearman": float(spearman),
                "spearman_low": float(low),
                "spearman_high": float(high),
                "num_with_rpkm": len(with_rpkm),
            }
        )
    return pd.DataFrame(rows)


def mark_changes(genes: "pd.DataFrame", marks: Sequence[str], *, seed: int = 0) -> "pd.DataFrame":
    """What changes on each mark where expression changes: `Contrast.mark_changes`."""
    import pandas as pd

    columns = {
        (quantity, mark): genes[f"{quantity}_{mark}"]
        for quantity in ("signal_change", "alpha_distance", "beta_change")
        for mark in marks
        if f"{quantity}_{mark}" in genes
    }
    columns |= {("beta_size", m): v.abs() for (q, m), v in columns.items() if q == "beta_change"}
    values = pd.DataFrame(columns).to_numpy()
    measured = genes["measured"].to_numpy()
    groups = {
        "gained": measured == "gained",
        "lost": measured == "lost",
        "switching": measured != "same",
        "same": measured == "same",
    }
    rows = []
    for group, chosen in groups.items():
        mean_with_interval = _mean_with_interval(values[chosen], seed=seed)
        for (quantity, mark), (mean, low, high) in zip(columns, mean_with_interval.T, strict=True):
            rows.append(
                {
                    "quantity": quantity,
                    "mark": mark,
                    "genes": group,
                    "num_genes": int(chosen.sum()),
                    "mean": mean,
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(rows)


def weighted_spearman(x: "np.ndarray", y: "np.ndarray") -> "Callable[[np.ndarray], float]":
    """Spearman's rank correlation of a sample in which a gene may stand several times.

    The genes are sorted once, and ranks, ties sharing theirs, follow from the weights: a bootstrap
    of thousands of genes then takes a second.

    Args:
        x: Floats `(genes,)`.
        y: Floats `(genes,)`.

    Returns:
        A function of the weights, integers `(genes,)`: how often each gene stands in the sample.
        It answers NaN where `x` or `y` is the same for all.
    """
    import numpy as np

    places = [np.unique(values, return_inverse=True)[1] for values in (x, y)]

    def correlation(weight: "np.ndarray") -> float:
        if not weight.any():
            return math.nan
        ranks = []
        for place in places:
            times = np.bincount(place, weight)
            ranks.append((np.cumsum(times) - times / 2)[place])
        (var_x, cov), (_, var_y) = np.cov(ranks, fweights=weight, ddof=0)
        return cov / math.sqrt(var_x * var_y) if var_x > 0 and var_y > 0 else math.nan

    return correlation


def _mean_with_interval(values: "np.ndarray", *, seed: int) -> "np.ndarray":
    """Means over the first axis of `(genes, columns)`, and their intervals, `(3, columns)`."""
    import numpy as np

    num_genes, num_columns = values.shape
    if not num_genes:
        return np.full((3, num_columns), np.nan)
    return _with_interval(lambda weight: weight @ values / num_genes, num_genes, seed=seed)


def _with_interval(
    statistic: "Callable[[np.ndarray], Any]", num_genes: int, *, seed: int
) -> "np.ndarray":
    """A statistic, and its 95 % percentile interval over bootstrap samples of the genes.

    Args:
        statistic: A function of how often each gene stands in the sample, integers `(genes,)`, to
            a number or an array; NaN where it is not defined.
        num_genes: Number of genes.
        seed: Seeds the draws.

    Returns:
        `(3, ...)`: of all genes, percentile 2.5, percentile 97.5. Samples of which it is not
        defined are left out; if that of all genes is not, there is no interval.
    """
    import numpy as np

    whole = np.asarray(statistic(np.ones(num_genes, int)))
    if np.isnan(whole).any():
        return np.stack([whole, np.full_like(whole, np.nan), np.full_like(whole, np.nan)])
    rng = np.random.default_rng(seed)
    samples = [
        statistic(np.bincount(rng.integers(num_genes, size=num_genes), minlength=num_genes))
        for _ in range(_NUM_RESAMPLES)
    ]
    return np.stack([whole, *np.nanpercentile(samples, [2.5, 97.5], axis=0)])


def _check_comparable(a: "Study", b: "Study") -> None:
    if a.run.marks != b.run.marks:
        raise InputError(
            f"Expected runs on the same marks, in the same order. Received: {a.run.path} with "
            f"{', '.join(a.run.marks)}; {b.run.path} with {', '.join(b.run.marks)}. Train one "
            "again with the other's --marks"
        )
    bins = [(s.dataset.num_bins, s.dataset.bin_bp, s.dataset.flank_bp) for s in (a, b)]
    if bins[0] != bins[1]:
        (num_a, bp_a, flank_a), (num_b, bp_b, flank_b) = bins
        raise InputError(
            f"Expected runs on the same bins. Received: {a.run.path} with {num_a} of {bp_a} bp "
            f"from {-flank_a} bp on; {b.run.path} with {num_b} of {bp_b} bp from {-flank_b} bp on. "
            "Train both on datasets built alike"
        )
    if a.labels != b.labels:
        raise InputError(
            f"Expected runs on the same label rule. Received: {a.run.path} with {a.labels}, "
            f"{b.run.path} with {b.labels}. Choose one with --labels"
        )


def _taken(genes: "Genes", chosen: "np.ndarray") -> "Genes":
    """The genes at some positions, or where a boolean array is true."""
    import numpy as np

    arrays = {n: v[chosen] for n, v in vars(genes).items() if isinstance(v, np.ndarray)}
    return replace(genes, **arrays)


def _turned(values: "np.ndarray", held: "Genes", wanted: "Genes") -> "np.ndarray":
    """Values of genes whose bins run as in `held`, now as in `wanted`, the same genes."""
    from keras_chrome.orientation import along_transcription

    # Along transcription, and from there back, which turns the same genes.
    return along_transcription(along_transcription(values, held), wanted)


def _measured(a: "Genes", b: "Genes", pseudocount: float) -> "dict[str, np.ndarray]":
    import numpy as np

    rpkm_a, rpkm_b = a.rpkm.astype(np.float64), b.rpkm.astype(np.float64)
    return {
        **{name: getattr(a, name) for name in ("gene_id", "symbol", "chrom", "tss", "strand")},
        "label_a": a.label,
        "label_b": b.label,
        "measured": _switch(a.label == 1, b.label == 1),
        "rpkm_a": rpkm_a,
        "rpkm_b": rpkm_b,
        "log2_fold_change": np.log2((rpkm_b + pseudocount) / (rpkm_a + pseudocount)),
    }


def _switch(is_high_a: "np.ndarray", is_high_b: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.select([is_high_b & ~is_high_a, is_high_a & ~is_high_b], ["gained", "lost"], "same")


def _mark_columns(
    a: "Genes",
    b: "Genes",
    own_a: "Prediction",
    own_b: "Prediction",
    *,
    marks: Sequence[str],
    bin_bp: int,
) -> "dict[str, np.ndarray]":
    """The columns of `Contrast.genes` that there is one a mark of."""
    import numpy as np

    from keras_chrome.orientation import along_transcription

    quantities = {
        "signal_change": np.log1p(b.signal).mean(axis=1) - np.log1p(a.signal).mean(axis=1)
    }
    if own_a.alpha is not None and own_b.alpha is not None:
        alpha_a = along_transcription(own_a.alpha.astype(np.float64), a, bin_axis=2)
        alpha_b = along_transcription(own_b.alpha.astype(np.float64), b, bin_axis=2)
        shift = alpha_shift_bp(alpha_a, alpha_b, bin_bp)
        shift[(a.strand == "") & ~a.oriented] = np.nan
        quantities |= {"alpha_distance": alpha_distance(alpha_a, alpha_b), "alpha_shift_bp": shift}
    if own_a.beta is not None and own_b.beta is not None:
        quantities["beta_change"] = own_b.beta - own_a.beta
    return {
        f"{quantity}_{mark}": values[:, m]
        for quantity, values in quantities.items()
        for m, mark in enumerate(marks)
    }


def write_contrast(contrast: Contrast, directory: str | Path) -> None:
    """Write `genes.csv`, `agreement.csv`, `mark_changes.csv`, `contrast.png` and `.svg`."""
    from keras_chrome.contrast_figure import draw_contrast
    from keras_chrome.run_directory import write_csv, write_figure

    directory = Path(directory)
    figure = draw_contrast(contrast)
    write_csv(directory / "genes.csv", contrast.genes)
    write_csv(directory / "agreement.csv", contrast.agreement)
    write_csv(directory / "mark_changes.csv", contrast.mark_changes)
    write_figure(directory / "contrast", figure)


def format_contrast(contrast: Contrast) -> str:
    """A contrast as tables and words."""
    genes, changes = contrast.genes, contrast.mark_changes
    num = genes["measured"].value_counts()
    unlabelled = contrast.num_unlabelled
    agreement_rows = [
        {
            "predicted by": row["predicted_by"],
            "AUROC, gained against lost": _estimate(row, "auroc"),
            "Spearman with log2 fold change": _estimate(row, "spearman"),
        }
        for _, row in contrast.agreement.iterrows()
    ]
    paragraphs = [
        f"A = {contrast.name_a}, B = {contrast.name_b}: {len(genes)} genes in both; left out: "
        f"{contrast.num_only_a} only in A, {contrast.num_only_b} only in B, {unlabelled[0]} of A "
        f"and {unlabelled[1]} of B without label, {contrast.num_unturnable} of unknown strand "
        "that A and B hold in different directions",
        f"From A to B, {num.get('gained', 0)} genes gain expression, {num.get('lost', 0)} lose it, "
        f"{num.get('same', 0)} do neither; log2 fold change of RPKM + {contrast.pseudocount:g}",
        format_table(agreement_rows),
    ]
    groups = dict.fromkeys(changes["genes"])
    texts = changes.assign(text=[_estimate(row, "mean") for _, row in changes.iterrows()])
    for quantity, of_quantity in texts.groupby("quantity", sort=False):
        table = of_quantity.pivot(index="mark", columns="genes", values="text")
        rows: list[dict[str, Any]] = [
            {f"mean {quantity}": mark, **{g: table.at[mark, g] for g in groups}}
            for mark in contrast.marks
        ]
        paragraphs.append(format_table(rows))
    return "\n\n".join([*paragraphs, format_table(_shown_genes(genes))])


def _estimate(row: "pd.Series", name: str) -> str:
    of_name = "" if name == "mean" else f"{name}_"
    return f"{row[name]:.3f} ({row[f'{of_name}low']:.3f} to {row[f'{of_name}high']:.3f})"


def _shown_genes(genes: "pd.DataFrame") -> list[dict[str, Any]]:
    columns = ("probability_a", "probability_b", "difference", "signal_effect", "log2_fold_change")
    return [
        {
            "gene": gene["symbol"] or gene["gene_id"],
            "measured": gene["measured"],
            **{name.replace("_", " "): float(gene[name]) for name in columns},
        }
        for _, gene in genes.head(_NUM_SHOWN).iterrows()
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.contrast",
        description="Compare two epigenomes by a run of each: genes that switch between them, "
        "measured and predicted, and what changed in signal, alpha and beta.",
    )
    parser.add_argument("run_a", help="run directory of epigenome A")
    parser.add_argument("run_b", help="run directory of epigenome B, on the same marks")
    parser.add_argument("--split", choices=(*SPLITS, "all"), help="genes (default: test)")
    parser.add_argument("--data-dir", help="where datasets were built (default: as in training)")
    parser.add_argument("--labels", choices=LABELS, help="label rule (default: the runs' own)")
    parser.add_argument(
        "--pseudocount",
        type=float,
        default=1.0,
        help="RPKM added before the log2 fold change (default: %(default)s)",
    )
    parser.add_argument("--out", help="directory to write (default: RUN_A/contrast-RUN_B-SPLIT)")
    given = parser.parse_args(argv)
    import_tensorflow_quietly()
    found = contrast(
        given.run_a,
        given.run_b,
        split=given.split,
        data_dir=given.data_dir,
        labels=given.labels,
        pseudocount=given.pseudocount,
    )
    print(format_contrast(found))
    name = f"contrast-{Path(given.run_b).resolve().name}-{given.split or 'test'}"
    directory = Path(given.out) if given.out else Path(given.run_a) / name
    write_contrast(found, directory)
    print(f"\n{directory}")


if __name__ == "__main__":
    run_command(main)
