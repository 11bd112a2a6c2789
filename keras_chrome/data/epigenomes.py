"""Datasets of several epigenomes as one."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_chrome.data.dataset import Dataset, Genes, built_datasets, open_dataset
from keras_chrome.errors import InputError

EVERY_DATASET = "all"
_BINS = ("num_bins", "bin_bp", "flank_bp")


def open_datasets(
    name: str,
    data_dir: str | Path | None = None,
    *,
    any_mark: bool = False,
    leave_out: str | None = None,
) -> Dataset:
    """Find a built dataset; or several, as one that has the genes of each.

    Args:
        name: As for `open_dataset`. Several are joined by `+`, as in `remc/E012+E123`; `all` is
            every built dataset in `data_dir`.
        data_dir: Where datasets were built; TFDS's default if None.
        any_mark: Whether its marks are those that any epigenome has, which are zero in every bin
            where another lacks them; else they are those that all have.
        leave_out: A dataset that is not to be among several.

    Raises:
        InputError: If a dataset is missing or stands twice, none is left, they differ in bins or
            genome, or have no mark in common.
    """
    names = _names(name, data_dir)
    parts = [open_dataset(part, data_dir) for part in names]
    if len(names) == 1 and leave_out is None:
        return parts[0]
    if leave_out is not None:
        left_out = open_dataset(leave_out, data_dir)
        check_alike([*parts, left_out])
        parts = [part for part in parts if part.path.resolve() != left_out.path.resolve()]
    if not parts:
        raise InputError(f"Expected a dataset to train on. Received: {name!r} without {leave_out}")
    return parts[0] if len(parts) == 1 else _joined(parts, any_mark=any_mark)


def _names(name: str, data_dir: str | Path | None) -> list[str]:
    import tensorflow_datasets as tfds

    root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    is_one = any(p.is_dir() for p in (Path(name).expanduser(), root / name, root / "remc" / name))
    if is_one:
        return [name]
    if name.removeprefix("remc/") == EVERY_DATASET:
        return sorted(built for built in built_datasets(root) if built.startswith("remc/")) or [
            name
        ]
    return name.split("+")


def _joined(parts: Sequence[Dataset], *, any_mark: bool) -> Dataset:
    check_alike(parts)
    names = [part.epigenome for part in parts]
    if len(set(names)) < len(names):
        raise InputError(f"Expected each epigenome once. Received: {', '.join(names)}")
    of_any = tuple(dict.fromkeys(mark for part in parts for mark in part.marks))
    marks = of_any
    if not any_mark:
        marks = tuple(mark for mark in of_any if all(mark in part.marks for part in parts))
    if not marks:
        raise InputError(
            "Expected a mark that every epigenome has. Received: "
            + "; ".join(f"{part.name}: {', '.join(part.marks)}" for part in parts)
            + "; give --mark-dropout to train on marks that some lack"
        )
    first = parts[0]
    return replace(
        first,
        name=f"remc/{'+'.join(names)}",
        path=first.path.parent.parent,
        marks=marks,
        metadata=_common([part.metadata for part in parts]),
        parts=tuple(part.reading(marks) for part in parts),
    )


def _common(metadata: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is recorded alike everywhere."""
    first, *others = metadata
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def check_alike(parts: Sequence[Dataset]) -> None:
    """See that one model can read several datasets.

    Raises:
        InputError: If they differ in bins or genome.
    """
    bins = [tuple(getattr(part, name) for name in _BINS) for part in parts]
    genomes = [str(part.metadata.get("genome") or "unknown") for part in parts]
    if len(set(bins)) == 1 and len(set(genomes) - {"unknown"}) <= 1:
        return
    listed = [
        f"{part.name} ({num_bins} bins of {bin_bp} bp from {-flank_bp} bp, {genome})"
        for part, (num_bins, bin_bp, flank_bp), genome in zip(parts, bins, genomes, strict=True)
    ]
    raise InputError(
        f"Expected datasets of the same bins and genome. Received: {', '.join(listed)}; name "
        "those that are alike, joined by +"
    )


def check_held_out(splits: Mapping[str, Genes]) -> None:
    """See that no gene is in one split of an epigenome and in another split of another one.

    A gene is mostly high everywhere or low everywhere: a model that is trained on it in one
    epigenome has seen its answer in the others.

    Args:
        splits: The genes of several epigenomes by their split.

    Raises:
        InputError: If there is one.
    """
    for (split_a, a), (split_b, b) in itertools.combinations(splits.items(), 2):
        if not len(shared := np.intersect1d(a.gene_id, b.gene_id)):
            continue
        of_a, of_b = (g.epigenome[g.gene_id == shared[0]][0] for g in (a, b))
        raise InputError(
            f"Expected each gene in one split of all epigenomes: else a model knows it by heart. "
            f"Received: {len(shared)} genes such as {shared[0]}, in {split_a} of {of_a} and "
            f"{split_b} of {of_b}; take --split random, neighbours, disjoint or chromosome"
        )
