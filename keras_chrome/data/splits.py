"""Which genes train, validate and test."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupKFold

from keras_chrome.errors import InputError


def assign_splits(
    scheme: str,
    *,
    gene_id: np.ndarray,
    chrom: np.ndarray,
    tss: np.ndarray,
    flank_bp: int,
    seed: int = 0,
    num_folds: int = 5,
    fold: int = 0,
) -> np.ndarray:
    """Assign every gene to a split.

    A gene id that stands twice goes to one split, so that no gene is trained and tested on.

    Args:
        scheme: `random`, thirds of the genes, drawn by `seed`; `neighbours`, likewise, but genes
            whose regions overlap by half or more, and those that others link in this way, stay
            together: no test gene is half seen in training; `disjoint`, likewise, but genes whose
            regions overlap at all: no bp of a test gene's region is seen in training, nor in
            validation; `chromosome`, whole chromosomes, shared out over `num_folds` folds of about
            equal numbers of genes, of which `fold` is tested on, the one after it validated on and
            the others trained on. Genes further apart share their chromatin, too: only whole
            chromosomes held out keep them apart.
        gene_id: Text `(genes,)`.
        chrom: Text `(genes,)`, a chromosome for every gene unless the scheme is `random`.
        tss: Integers `(genes,)`, -1 where unknown, which only `neighbours` and `disjoint` mind.
        flank_bp: Distance from the TSS to either end of a gene region.
        seed: Of the thirds.
        num_folds: Folds of whole chromosomes, at least 3.
        fold: Counted from 0.

    Returns:
        Text `(genes,)`: `train`, `valid` or `test`.

    Raises:
        InputError: If there are fewer genes, or groups of neighbours, than splits or fewer
            chromosomes than folds, or a gene has no place.
    """
    if scheme == "random":
        return _random_thirds(gene_id, seed)
    # Regions of 2 flank_bp share half up to a distance of flank_bp, and a bp short of 2 flank_bp.
    most_apart_bp = {"neighbours": flank_bp, "disjoint": 2 * flank_bp - 1}.get(scheme)
    is_unplaced = (chrom == "") | ((most_apart_bp is not None) & (tss < 0))
    if num_unplaced := len(np.unique(gene_id[is_unplaced])):
        raise InputError(
            f"Expected a {'place' if most_apart_bp else 'chromosome'} for every gene to split by "
            f"{scheme}. Received: {num_unplaced} of {len(np.unique(gene_id))} genes without one"
        )
    if most_apart_bp:
        groups = groups_of_neighbours(
            gene_id=gene_id, chrom=chrom, tss=tss, most_apart_bp=most_apart_bp
        )
        return _thirds_of_groups(groups, seed)
    return _folds_of_chromosomes(gene_id, chrom, num_folds, fold)


def groups_of_neighbours(
    *, gene_id: np.ndarray, chrom: np.ndarray, tss: np.ndarray, most_apart_bp: int
) -> np.ndarray:
    """Groups of genes that are close to each other, directly or by others in between.

    Args:
        gene_id: As in `assign_splits`, like all that follow. Places of one gene are one group.
        chrom: See there.
        tss: See there.
        most_apart_bp: Distance up to which two TSSs are close.

    Returns:
        Integers `(genes,)`, a number a group, from 0.
    """
    num_genes = len(gene_id)
    order = np.lexsort((tss, chrom))
    is_linked = (chrom[order][1:] == chrom[order][:-1]) & (np.diff(tss[order]) <= most_apart_bp)
    same_id = np.unique(gene_id, return_inverse=True)[1]
    first_of_id = np.unique(gene_id, return_index=True)[1]
    start = np.concatenate([order[:-1][is_linked], np.arange(num_genes)])
    end = np.concatenate([order[1:][is_linked], first_of_id[same_id]])
    links = coo_array((np.ones(len(start)), (start, end)), shape=(num_genes, num_genes))
    group: np.ndarray = connected_components(links, directed=False)[1]
    return group


def _random_thirds(gene_id: np.ndarray, seed: int) -> np.ndarray:
    first, group = np.unique(gene_id, return_index=True, return_inverse=True)[1:]
    if len(first) < 3:
        raise InputError(f"Expected at least 3 genes for 3 splits. Received: {len(first)}")
    order = np.random.default_rng(seed).permutation(len(first))
    # The first third trains; what does not divide by three goes to training first.
    names = np.repeat(["train", "valid", "test"], [len(p) for p in np.array_split(order, 3)])
    split_of_group = np.empty(len(first), names.dtype)
    split_of_group[order] = names
    return split_of_group[group]


def _thirds_of_groups(group: np.ndarray, seed: int) -> np.ndarray:
    """Whole groups, in random order, until a third of the genes is reached, and so on."""
    sizes = np.bincount(group)
    if len(sizes) < 3:
        raise InputError(
            f"Expected at least 3 groups of neighbouring genes for 3 splits. Received: {len(sizes)}"
            f" of {len(group)} genes"
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    # A group lies in the third that its middle lies in.
    middle = (np.cumsum(sizes[order]) - sizes[order] / 2) / len(group)
    split_of_group = np.empty(len(sizes), "<U5")
    split_of_group[order] = np.array(["train", "valid", "test"])[(3 * middle).astype(int)]
    split: np.ndarray = split_of_group[group]
    return split


def _folds_of_chromosomes(
    gene_id: np.ndarray, chrom: np.ndarray, num_folds: int, fold: int
) -> np.ndarray:
    # An id on two chromosomes, as pseudoautosomal genes have it in some annotations, counts as of
    # the first. No published one is: the seven that stand twice have one place each.
    first, group = np.unique(gene_id, return_index=True, return_inverse=True)[1:]
    chrom = chrom[first]
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
    split: np.ndarray = split_of_group[group]
    return split
