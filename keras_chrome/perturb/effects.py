"""Change a mark's signal in silico and see what the model then answers.

As a command: `python -m keras_chrome.perturb RUN --mark H3K27me3 --scale 0`, a table of genes, or
without `--mark` a matrix of all marks and pairs of marks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from keras_chrome.data.orientation import along_transcription
from keras_chrome.errors import InputError
from keras_chrome.perturb.perturbation import Perturbation, perturb_signal
from keras_chrome.runs import Study, open_study

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.importance.scores import Scores
    from keras_chrome.runs.study import GeneOptions


def perturb(
    run_dir: str | Path,
    perturbation: Perturbation,
    *,
    on_threshold: str | float = "balanced",
    **genes: Unpack[GeneOptions],
) -> pd.DataFrame:
    """Predict genes before and after a mark is changed.

    The change is made in the direction of transcription, and then turned back: the model sees the
    bins as it was trained on them. A gene of unknown direction is changed as it stands.

    It tells what the model has learnt of a mark, not what an experiment on it would show: in a
    cell the other marks would follow.

    Args:
        run_dir: A run directory, of a network or a baseline.
        perturbation: What is done to which mark.
        on_threshold: From which probability on a gene counts as predicted high, or ON: `balanced`,
            `rate` or a number, see `ThresholdArguments`.
        **genes: Which genes: `split`, `gene`, `dataset`, `data_dir`, `labels`, see `GeneOptions`.

    Returns:
        A row a gene, the largest change of probability first: `gene`, a name that no other gene of
        the dataset has; `gene_id`, `symbol`, `transcript_id`, `chrom`, `tss`, `strand`, `label`;
        `rpkm`, in `unit`; `probability_before`, `probability_after` and their
        difference `change`; `logit_change` (see `Scores.logit`); `is_flipped`, whether the
        probability crosses `on_threshold`; `has_direction`, false where the direction of
        transcription is unknown; `on_threshold`, and `on_rule`, where that comes from.

    Raises:
        InputError: If the run, the dataset or the gene is missing, they do not fit each other, or
            the model has no such mark or the region no such part.

    Example:
        >>> perturb("runs/E012", Perturbation(mark="H3K27me3", scale=0)).head()
    """
    import pandas as pd

    study = open_study(run_dir, on_threshold=on_threshold, **genes)
    if perturbation.mark is None:
        raise InputError(
            "Expected a mark to change; `perturb_all_marks` changes all. Received: mark=None"
        )
    mark = study.mark(perturbation.mark)
    before, after = _scores(study, [(), (mark,)], perturbation)
    columns = (*("gene_id", "symbol", "transcript_id", "chrom", "tss", "strand", "label", "rpkm"),)
    table = pd.DataFrame(
        {
            "gene": study.gene_names,
            **{name: getattr(study.genes, name) for name in columns},
            "unit": study.dataset.unit,
            "probability_before": before.probability,
            "probability_after": after.probability,
            "change": after.probability - before.probability,
            "logit_change": after.logit - before.logit,
            "is_flipped": study.says_on(after.probability) != study.says_on(before.probability),
            "has_direction": study.genes.has_direction,
            **study.on_columns,
        }
    )
    return table.sort_values("change", key=abs, ascending=False, kind="stable", ignore_index=True)


def perturb_all_marks(
    run_dir: str | Path,
    perturbation: Perturbation,
    *,
    on_threshold: str | float = "balanced",
    **genes: Unpack[GeneOptions],
) -> pd.DataFrame:
    """Do the same to each mark, and to each pair of marks at once.

    Args:
        run_dir: A run directory, of a network or a baseline.
        perturbation: What is done, without a mark.
        on_threshold: As in `perturb`.
        **genes: As in `perturb`.

    Returns:
        A row for `mark_a`, `mark_b` (the same where a mark is changed alone) and `predicted`, the
        genes that were `high` or `low` before, or `all`. Means over these: `logit_change`,
        `probability_change`; `interaction`, by how much the logit changes more than the sum of
        what the two marks change alone, NaN for a single mark. `share_to_high` and
        `share_to_low`, the shares that cross `on_threshold`; `num_genes`, and how many of them have
        no known direction of transcription, `num_without_direction`; `on_threshold` and `on_rule`
        as in `perturb`. Means of no gene are NaN.

    Raises:
        InputError: As `perturb`, and if a mark is given.
    """
    import pandas as pd

    if perturbation.mark is not None:
        raise InputError(
            f"Expected no mark: every mark is taken. Received: mark={perturbation.mark!r}"
        )
    study = open_study(run_dir, on_threshold=on_threshold, **genes)
    names = study.run.marks
    # Each mark alone comes first, so that the pairs find what it did.
    single = [(m,) for m in range(len(names))]
    changed = [*single, *itertools.combinations(range(len(names)), 2)]
    scores = _scores(study, [(), *changed], perturbation)
    before = next(scores)
    was_high = study.says_on(before.probability)
    has_direction = study.genes.has_direction
    groups = {"all": np.ones_like(was_high), "high": was_high, "low": ~was_high}
    alone: dict[int, np.ndarray] = {}
    rows: list[dict[str, Any]] = []
    for marks, after in zip(changed, scores, strict=True):
        logit_change = after.logit - before.logit
        is_high = study.says_on(after.probability)
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
                "share_to_high": is_high & ~was_high,
                "share_to_low": ~is_high & was_high,
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
                    **study.on_columns,
                }
            )
    return pd.DataFrame(rows)


def _scores(
    study: Study, changed: Sequence[tuple[int, ...]], perturbation: Perturbation
) -> Iterator[Scores]:
    """What the model says of the genes, for each set of marks that is changed at once."""
    from keras_chrome.importance.scores import model_scores

    dataset, genes = study.dataset, study.genes
    bins = perturbation.bins(
        num_bins=dataset.num_bins, bin_bp=dataset.bin_bp, flank_bp=dataset.flank_bp
    )

    def versions() -> Iterator[np.ndarray]:
        oriented = along_transcription(genes.signal, genes)
        for marks in changed:
            perturbed = oriented
            for mark in marks:
                perturbed = perturb_signal(perturbed, perturbation, mark=mark, bins=bins)
            # The same genes are turned once more, and so back.
            yield along_transcription(perturbed, genes)

    return model_scores(study.model, versions(), num_versions=len(changed), title="perturb")
