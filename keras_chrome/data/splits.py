"""Which genes train, validate and test."""

import numpy as np
from sklearn.model_selection import GroupKFold

from keras_chrome.errors import InputError


def assign_splits(
    scheme: str,
    *,
    gene_id: np.ndarray,
    chrom: np.ndarray,
    seed: int = 0,
    num_folds: int = 5,
    fold: int = 0,
) -> np.ndarray:
    """Assign every gene to a split.

    A gene id that stands twice goes to one split, so that no gene is trained and tested on.

    Args:
        scheme: `random`, thirds of the genes, drawn by `seed`; `chromosome`, whole chromosomes,
            shared out over `num_folds` folds of about equal numbers of genes, of which `fold` is
            tested on, the one after it validated on and the others trained on. Neighbouring
            genes share their chromatin: only whole chromosomes held out keep them apart.
        gene_id: Text `(genes,)`.
        chrom: Text `(genes,)`, a chromosome for every gene if the scheme is `chromosome`.
        seed: Of the random thirds.
        num_folds: Folds of whole chromosomes, at least 3.
        fold: Counted from 0.

    Returns:
        Text `(genes,)`: `train`, `valid` or `test`.

    Raises:
        InputError: If there are fewer genes than splits or fewer chromosomes than folds, or a
            gene has no chromosome.
    """
    first, group = np.unique(gene_id, return_index=True, return_inverse=True)[1:]
    if scheme == "random":
        if len(first) < 3:
            raise InputError(f"Expected at least 3 genes for 3 splits. Received: {len(first)}")
        order = np.random.default_rng(seed).permutation(len(first))
        # The first third trains; what does not divide by three goes to training first.
        names = np.repeat(["train", "valid", "test"], [len(p) for p in np.array_split(order, 3)])
        split_of_group = np.empty(len(first), names.dtype)
        split_of_group[order] = names
        return split_of_group[group]
    # The pseudoautosomal genes lie on X and on Y: the first place counts.
    chrom = chrom[first]
    if num_unplaced := int((chrom == "").sum()):
        raise InputError(
            f"Expected a chromosome for every gene to split by chromosome. Received: "
            f"{num_unplaced} of {len(first)} genes without one"
        )
    num_chromosomes = len(np.unique(chrom))
    if num_chromosomes < num_folds:
        raise InputError(
            f"Expected at least as many chromosomes as folds. Received: num_folds={num_folds}, "
            f"{num_chromosomes} chromosomes with {len(first)} genes"
        )
    folds = [held_out for _, held_out in GroupKFold(num_folds).split(chrom, groups=chrom)]
    split_of_group = np.full(len(first), "train")
    split_of_group[folds[fold]] = "test"
    split_of_group[folds[(fold + 1) % num_folds]] = "valid"
    return split_of_group[group]
