"""Map the attention to marks for a gene over epigenomes: the paper's Figure 2 (c).

As a command: `python -m keras_chrome.beta_map RUN RUN ... --gene PAX5`, which writes a figure as
PNG and SVG, and its numbers as CSV.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from keras_chrome.errors import InputError
from keras_chrome.runs import Run, Study, open_run, open_study

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs.study import DataOptions

GENE = "PAX5"
ORDERS = ("given", "expression")
_NAMES = ("gene_id", "symbol", "transcript_id", "chrom", "tss")


def beta_map(
    run_dirs: Sequence[str | Path],
    *,
    genes: Sequence[str] = (GENE,),
    order: str = "given",
    split: str | None = None,
    **data: Unpack[DataOptions],
) -> pd.DataFrame:
    """Read out beta of genes, whatever their split, in each of several runs.

    Args:
        run_dirs: Run directories, of variants with attention over marks, each of an epigenome.
        genes: Ensembl ids or symbols, see `GeneNames`. A dataset without symbols is asked for the
            Ensembl id that a symbol has in another.
        order: Order of the epigenomes: `given`, or by `expression` of the gene, highest first.
        split: `train`, `valid`, `test` or `all`; any if None, which prefers test.
        **data: For all runs, `dataset`, `data_dir`, `labels`, see `DataOptions`.

    Returns:
        A row a gene and run: `gene`, a name that no other gene of the first run's dataset has;
            `gene_id`, `symbol`, `transcript_id`, `chrom`, `tss`; `epigenome`, the dataset's name,
            with the run's where that is not enough; `run`, its directory; `split`; `label_rule`;
            `label`, 1 for high; `rpkm`, NaN where unknown, in `unit`; `probability` of high
            expression; and `beta_MARK` a mark, NaN where the run was not trained on it.

    Raises:
        InputError: If a run or its dataset is missing, a run is given twice, its variant has no
            attention over marks, a run lacks a gene, or the order is unknown.

    Reference:
        Singh et al. (2017), section 5 and Figure 2 (c).

    Example:
        >>> beta_map(["runs/E116", "runs/E123"], genes=["PAX5"])
    """
    import pandas as pd

    if order not in ORDERS:
        raise InputError(f"Expected one of {ORDERS}. Received: order={order!r}")
    runs = [open_run(run_dir) for run_dir in run_dirs]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise InputError(
            f"Expected each run once. Received: {', '.join(str(run.path) for run in runs)}"
        )
    for run in runs:
        run.check_classifies()
    rows: list[dict[str, Any]] = []
    for gene in genes:
        studies = _find(gene, runs, split, data)
        name = str(studies[0].gene_names[0])
        if name in (row["gene"] for row in rows):
            continue  # It was asked for by another of its names.
        names = epigenome_names([(study.dataset.epigenome, study.run.path) for study in studies])
        rows += [
            {"gene": name, "epigenome": epigenome, **_answer(study)}
            for epigenome, study in zip(names, studies, strict=True)
        ]
    return ordered(pd.DataFrame(rows), order)


def epigenome_names(runs: Sequence[tuple[str, Path]]) -> list[str]:
    """Name epigenomes by their datasets, as far as that tells them apart.

    Args:
        runs: The dataset's epigenome, and the run directory, of each.

    Returns:
        The epigenome; followed by the run directory's name where several runs have it, or by its
        whole path where several have that name, too.
    """
    names = [epigenome for epigenome, _ in runs]
    for tails in ([path.name for _, path in runs], [str(path) for _, path in runs]):
        is_shared = [names.count(name) > 1 for name in names]
        names = [
            f"{epigenome} ({tail})" if shared else name
            for name, shared, tail, (epigenome, _) in zip(
                names, is_shared, tails, runs, strict=True
            )
        ]
    return names


def ordered(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """Order each gene's epigenomes.

    Args:
        table: Rows with `gene` and `rpkm`.
        order: One of `ORDERS`.

    Returns:
        The rows, genes in the order of their first. Unknown expression comes last.
    """
    import pandas as pd

    if order == "given":
        return table
    parts = [
        of_gene.sort_values("rpkm", ascending=False, kind="stable")
        for _, of_gene in table.groupby("gene", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def _find(gene: str, runs: Sequence[Run], split: str | None, data: DataOptions) -> list[Study]:
    """The gene in each run."""
    found: dict[Path, Study] = {}
    missed: dict[Path, InputError] = {}
    for run in runs:
        try:
            found[run.path] = open_study(run.path, gene=gene, split=split, **data)
        except InputError as error:
            missed[run.path] = error
    ids = sorted({str(study.genes.gene_id[0]) for study in found.values()})
    for path, miss in missed.items():
        if len(ids) == 1:
            with contextlib.suppress(InputError):
                found[path] = open_study(path, gene=ids[0], split=split, **data)
        if path not in found:
            raise InputError(f"{path}: {miss}")
    return [found[run.path] for run in runs]


def _answer(study: Study) -> dict[str, Any]:
    """What a run says of its one gene, and what is known of it."""
    genes = study.genes
    (beta,) = study.attention("beta")
    return {
        **{name: getattr(genes, name)[0] for name in _NAMES},
        "run": str(study.run.path),
        "split": genes.split,
        "label_rule": study.labels,
        "label": int(genes.label[0]),
        "rpkm": float(genes.rpkm[0]),
        "unit": study.dataset.unit,
        "probability": float(study.prediction.probability[0]),
        **{f"beta_{m}": float(b) for m, b in zip(study.run.marks, beta, strict=True)},
    }
