"""A simulated epigenome whose truth is known: read counts around TSSs, and which bins caused them.

Nothing here is measured. Each gene gets a chromatin state and an activity; both set the expected
read count of every mark in every bin, and the expression. What is drawn is then what an experiment
would show: negative binomial counts and an RPKM. The planted truth is kept beside them, so that an
explanation of a trained model can be compared with what really carried the signal.

What the simulation takes from the literature, and where it stops:

* H3K4me3 is sharp at the TSS of active and poised genes, dips in the nucleosome-free region just
  upstream of it, and reaches further downstream (Barski et al. 2007, Cell 129:823; Schones et al.
  2008, Cell 132:887).
* H3K27ac marks active promoters with two shoulders like H3K4me3, and separates active from poised
  (Creyghton et al. 2010, PNAS 107:21931). Its strength is drawn on its own given the activity.
* H3K4me1 is depleted at the TSS and flanks the H3K4me3 peak (Heintzman et al. 2007, Nat Genet
  39:311).
* H3K36me3 covers the transcribed body, rises downstream and stops at the gene's end (Bannister et
  al. 2005, J Biol Chem 280:17732; Guenther et al. 2007, Cell 130:77).
* H3K27me3 covers Polycomb-silent genes in broad domains (Mikkelsen et al. 2007, Nature 448:553);
  bivalent genes add a weaker H3K4me3 and are hardly expressed (Bernstein et al. 2006, Cell
  125:315). H3K9me3 covers heterochromatic genes in broad domains (Barski et al. 2007).
* Counts are overdispersed, variance = mean + mean^2 / k (Anders & Huber 2010, Genome Biol 11:R106).
* Expression is log-normal given state and activity, in a high and a low class (Hebenstreit et al.
  2011, Mol Syst Biol 7:497); RNA reads are Poisson (Marioni et al. 2008, Genome Res 18:1509), so
  that a gene of which no read was caught has RPKM 0.

The strengths, the noise and the share of each state are ours, set so that the label is learnable
and not trivial. Bins are independent given their means, genes do not influence each other's
expression, and the genome is not a real one.
"""

import dataclasses
import functools
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3", "H3K27ac")
"""The five core marks in the dataset's order, then the mark held out for validation."""

STATES = ("active", "poised", "polycomb", "heterochromatin", "quiescent")

# One row a state, in the order of STATES.
_STATE_SHARE = (0.58, 0.12, 0.12, 0.07, 0.11)
# Strength of each mark, in the order of MARKS, where 1 is its level on a typical active or silent
# gene.
_STATE_STRENGTH = np.array(
    [
        [0.0, 1.0, 1.0, 1.0, 0.0, 1.0],
        [0.8, 0.0, 0.5, 0.35, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
)
# Natural logarithm of the typical RPKM at activity 1/2, and what activity 0 to 1 adds to it.
_LOG_RPKM = np.array([2.3, -0.7, -2.5, -3.0, -2.0])
_LOG_RPKM_PER_ACTIVITY = np.array([4.0, 1.0, 0.0, 0.0, 0.0])
_LOG_RPKM_SD = 1.25

# One value a mark, in the order of MARKS.
# Reads of background a bin of 100 bp: the sequencing depth of each experiment.
_DEPTH = np.array([1.0, 0.8, 1.1, 1.0, 0.8, 0.9])
# Reads at a strength of 1, in multiples of the background.
_FOLD = np.array([3.5, 4.0, 4.0, 15.0, 3.5, 10.0])
# Strength grows as activity to this power: below 1 it saturates on highly active genes.
_ACTIVITY_EXPONENT = np.array([0.5, 1.2, 0.5, 0.8, 0.5, 1.0])
# The k of variance = mean + mean^2 / k.
_DISPERSION = np.array([2.0, 2.0, 2.0, 2.5, 2.0, 2.5])
_EFFICIENCY_LOG_SD = 0.65
_BACKGROUND_LOG_SD = 0.3

_NEIGHBOUR_SHARE = 0.6
_NEIGHBOUR_DISTANCE_BP = (1_500, 7_000)

_NUM_CHROMS = 20
_SPLITS = np.array(["train", "valid", "test"])

_Stream = Callable[[str], np.random.Generator]


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedEpigenome:
    """Arrays over simulated genes, one row a gene.

    Attributes:
        signal: float32 (genes, bins, marks), whole read counts in genome orientation.
        planted: bool (genes, bins, marks), true where the gene's own state at least doubles the
            expected background. Signal of a neighbouring gene is not planted.
        state: text, one of `STATES`.
        gene_id: text, SIM00000000001 and on.
        symbol: text.
        chrom: text, chrSim1 to chrSim20.
        tss: int64, 0-based; the first base of the right half of the bins.
        strand: text, '+' or '-'; the bins of '-' genes run against transcription.
        rpkm: float32, expression.
        split: text, train, valid or test, in turn.
        marks: names of the marks, in the order of the last axis of `signal`.
    """

    signal: NDArray[np.float32]
    planted: NDArray[np.bool_]
    state: NDArray[np.str_]
    gene_id: NDArray[np.str_]
    symbol: NDArray[np.str_]
    chrom: NDArray[np.str_]
    tss: NDArray[np.int64]
    strand: NDArray[np.str_]
    rpkm: NDArray[np.float32]
    split: NDArray[np.str_]
    marks: tuple[str, ...] = MARKS


def simulate(
    num_genes: int = 3000, seed: int = 0, *, num_bins: int = 100, bin_bp: int = 100
) -> SimulatedEpigenome:
    """Simulates ChIP-seq read counts around TSSs, and the expression they come with.

    The same arguments give the same bytes under one version of NumPy. Every quantity has a random
    stream of its own in which genes follow one another, so more genes leave the first ones as they
    were.

    Args:
        num_genes: Number of genes, at least 3: one a split.
        seed: Seed of all random streams, 0 or more.
        num_bins: Bins a gene, half of them on either side of the TSS; even.
        bin_bp: Width of a bin in bp.

    Returns:
        The simulated genes.

    Raises:
        InputError: If an argument is out of its range.

    Example:
        >>> epigenome = simulate(num_genes=6, seed=1)
        >>> epigenome.signal.shape
        (6, 100, 6)
        >>> print(epigenome.gene_id[0], epigenome.split[0])
        SIM00000000001 train
    """
    for name, value, least in (
        ("num_genes", num_genes, len(_SPLITS)),
        ("seed", seed, 0),
        ("num_bins", num_bins, 2),
        ("bin_bp", bin_bp, 1),
    ):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise InputError(
                f"Expected a whole number of {least} or more. Received: {name}={value!r}."
            )
    if num_bins % 2:
        raise InputError(
            "Expected an even number of bins, half of them on either side of the TSS. "
            f"Received: num_bins={num_bins}."
        )

    stream = functools.partial(_named_stream, seed)
    gene = np.arange(num_genes)
    is_forward = stream("strand").random(num_genes) < 0.5
    state = stream("state").choice(len(STATES), size=num_genes, p=_STATE_SHARE)
    activity = stream("activity").beta(2.0, 2.0, size=num_genes)

    genome_bp = (np.arange(num_bins) + 0.5 - num_bins / 2) * bin_bp
    distance_bp = np.where(is_forward[:, None], genome_bp, -genome_bp)
    own = _fold_enrichment(distance_bp, state, activity, functools.partial(stream, "own"))
    neighbour = _neighbour_fold_enrichment(distance_bp, functools.partial(stream, "neighbour"))
    background = (
        _DEPTH
        * (bin_bp / 100)
        * _log_normal(stream("background"), (num_genes, 1, 1), _BACKGROUND_LOG_SD)
    )
    signal = negative_binomial_counts(
        background * (1.0 + own + neighbour), _DISPERSION, stream("counts")
    )

    chrom, position = gene % _NUM_CHROMS, gene // _NUM_CHROMS + 1
    spacing_bp = 100_000 + 2 * num_bins * bin_bp
    jitter_bp = stream("tss").integers(0, 50_000, size=num_genes)
    return SimulatedEpigenome(
        signal=signal.astype(np.float32),
        planted=own >= 1.0,
        state=np.array(STATES)[state],
        gene_id=np.array([f"SIM{number:011d}" for number in gene + 1]),
        symbol=np.array([f"simulated-{number}" for number in gene + 1]),
        chrom=np.array([f"chrSim{number}" for number in chrom + 1]),
        tss=(position * spacing_bp + jitter_bp).astype(np.int64),
        strand=np.where(is_forward, "+", "-"),
        rpkm=_expression(state, activity, stream).astype(np.float32),
        split=_SPLITS[gene % len(_SPLITS)],
    )


def negative_binomial_counts(
    mean: NDArray[np.floating], dispersion: NDArray[np.floating] | float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draws counts whose variance is mean + mean^2 / dispersion.

    Args:
        mean: Expected counts, 0 or more, of any shape.
        dispersion: The negative binomial's size k, above 0; broadcast against `mean`.
        rng: Source of randomness.

    Returns:
        Counts of the shape of `mean`.
    """
    return rng.negative_binomial(dispersion, dispersion / (dispersion + mean))


def _named_stream(seed: int, *names: str) -> np.random.Generator:
    """A random stream that depends on the seed and on its name alone."""
    key = tuple(zlib.crc32(name.encode()) for name in names)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def _log_normal(
    rng: np.random.Generator, shape: tuple[int, ...], log_sd: float
) -> NDArray[np.float64]:
    """Positive factors around 1."""
    return np.exp(log_sd * rng.standard_normal(shape))


def _fold_enrichment(
    distance_bp: NDArray[np.float64],
    state: NDArray[np.int64],
    activity: NDArray[np.float64],
    stream: _Stream,
) -> NDArray[np.float64]:
    """Expected signal that genes cause, in multiples of the background: (genes, bins, marks).

    `distance_bp` (genes, bins) runs from the TSS in the direction of transcription.
    """
    num_genes = len(state)
    length_bp = 20_000 * _log_normal(stream("length"), (num_genes, 1), 1.1)
    breadth = _log_normal(stream("breadth"), (num_genes, 1), 0.3)
    upstream_bp, downstream_bp = stream("domain").uniform(2_000, 15_000, size=(num_genes, 2)).T
    silent_domain = _domain(distance_bp, -upstream_bp[:, None], downstream_bp[:, None])
    shape = {
        "H3K27me3": silent_domain,
        "H3K36me3": _gene_body(distance_bp, length_bp),
        "H3K4me1": _promoter_flanks(distance_bp, breadth),
        "H3K4me3": _promoter(distance_bp, 350 * breadth, 900 * breadth),
        "H3K9me3": silent_domain,
        "H3K27ac": _promoter(distance_bp, 500 * breadth, 1_000 * breadth),
    }
    efficiency = _log_normal(stream("efficiency"), (num_genes, len(MARKS)), _EFFICIENCY_LOG_SD)
    strength = _STATE_STRENGTH[state] * (2 * activity[:, None]) ** _ACTIVITY_EXPONENT * efficiency
    height: NDArray[np.float64] = (_FOLD * strength)[:, None, :]
    return np.stack([shape[mark] for mark in MARKS], axis=-1) * height


def _neighbour_fold_enrichment(
    distance_bp: NDArray[np.float64], stream: _Stream
) -> NDArray[np.float64]:
    """Signal that strays in from an active neighbouring gene, on either side and strand."""
    num_genes = len(distance_bp)
    has_neighbour = stream("present").random(num_genes) < _NEIGHBOUR_SHARE
    side, direction = stream("orientation").choice([-1, 1], size=(num_genes, 2)).T
    offset_bp = side * stream("distance").uniform(*_NEIGHBOUR_DISTANCE_BP, size=num_genes)
    fold = _fold_enrichment(
        direction[:, None] * (distance_bp - offset_bp[:, None]),
        np.full(num_genes, STATES.index("active")),
        stream("activity").beta(2.0, 2.0, size=num_genes),
        stream,
    )
    return fold * has_neighbour[:, None, None]


def _expression(
    state: NDArray[np.int64], activity: NDArray[np.float64], stream: _Stream
) -> NDArray[np.float64]:
    """RPKM as RNA sequencing would measure it: reads a kb of transcript a million reads."""
    noise = _LOG_RPKM_SD * stream("expression").standard_normal(len(state))
    true_rpkm = np.exp(_LOG_RPKM[state] + _LOG_RPKM_PER_ACTIVITY[state] * (activity - 0.5) + noise)
    transcript_kb = 2.5 * _log_normal(stream("transcript"), (len(state),), 0.6)
    reads_per_rpkm = 5.0 * transcript_kb
    return stream("rna").poisson(true_rpkm * reads_per_rpkm) / reads_per_rpkm


def _promoter(
    distance_bp: NDArray[np.float64],
    upstream_bp: NDArray[np.float64],
    downstream_bp: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Two shoulders around the nucleosome-free region, the downstream one the longer."""
    reach_bp = np.where(distance_bp < 0, upstream_bp, downstream_bp)
    nucleosome_free = np.exp(-(((distance_bp + 40) / 120) ** 2))
    return np.exp(-((np.abs(distance_bp) / reach_bp) ** 1.5)) * (1 - 0.8 * nucleosome_free)


def _promoter_flanks(
    distance_bp: NDArray[np.float64], breadth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Two humps outside the promoter's peak, with little in between."""
    centre_bp = np.where(distance_bp < 0, 1_300, 1_900) * breadth
    return np.exp(-(((np.abs(distance_bp) - centre_bp) / (650 * breadth)) ** 2))


def _gene_body(
    distance_bp: NDArray[np.float64], length_bp: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A rise from the TSS into the gene, down to nothing at its end."""
    inside: NDArray[np.float64] = np.maximum(distance_bp, 0) ** 2
    return inside / (inside + 2_000**2) * _domain(distance_bp, 0.0, length_bp)


def _domain(
    distance_bp: NDArray[np.float64],
    start_bp: NDArray[np.float64] | float,
    end_bp: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """A plateau of 1 between two edges that are blurred over some 500 bp."""

    def step(bp: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.5 * (1 + np.tanh(bp / 500))

    return step(distance_bp - start_bp) * step(end_bp - distance_bp)
