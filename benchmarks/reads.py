"""From alignments to counts a bin: this project against bedtools and deepTools; and from bigWig.

Two million reads are real ones, repeated: each gene of the gene table is given a sample of the
reads around one of the TSS in `raw/windows.tsv`, moved to its own TSS. All sides count the same
reads in the same bins (100 of 100 bp around each TSS) and take turns; bedtools and deepTools run as
commands of their own, and their counts are compared with ours. A tool that is not there is left
out, and a line says so.

    pip install pyBigWig
    python benchmarks/reads.py DATA --deeptools VENV/bin/multiBamSummary
"""

import argparse
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pysam

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from tfds_remc.remc.binning import RegionBins
from tfds_remc.remc.chromosomes import GENOMES
from tfds_remc.remc.gene_table import read_gene_table
from tfds_remc.remc.reads import ReadOptions, read_signal

NUM_BINS, BIN_BP, FLANK_BP, READ_BP = 100, 100, 5000, 36
TAG_ALIGN_COLUMNS = ["chrom", "start", "end", "name", "score", "strand"]


@dataclass(frozen=True, kw_only=True)
class ReadsOptions:
    """Which reads are counted, how often."""

    data: Path = option("folder of real data, with raw/ and remc/", positional=True)
    num_reads: int = option("number of reads", default=2_000_000)
    repeats: int = option("turns of each side", default=3)
    deeptools: str = option("path of multiBamSummary", default="multiBamSummary")
    # Of the process that counts one file and says what memory that took.
    peak_of: Path | None = option(argparse.SUPPRESS, default=None)


def gene_bins(data: Path) -> RegionBins:
    genes = read_gene_table(data / "remc" / "genes.tsv")
    start = np.maximum(genes.tss - FLANK_BP, 0)
    return RegionBins(genes.chrom, start, num_bins=NUM_BINS, bin_bp=BIN_BP)


def repeated_reads(data: Path, bins: RegionBins, num_reads: int) -> pd.DataFrame:
    """The real reads, spread over all genes, sorted."""
    reads = pd.concat(
        pd.read_csv(path, sep="\t", header=None, names=TAG_ALIGN_COLUMNS)
        for path in sorted((data / "raw").glob("*.tagAlign.gz"))
    )
    windows = pd.read_csv(data / "raw" / "windows.tsv", sep="\t")
    random = np.random.default_rng(0)
    per_gene = num_reads // len(bins.start) + 2  # Some lie beyond an end of a chromosome.
    shifts = []
    for window in windows.itertuples():
        is_inside = reads["start"].between(window.start, window.end)
        inside = reads[is_inside & (reads["chrom"] == window.chrom)]
        shifts.append(inside["start"].to_numpy() - (window.start + window.end) // 2)
    start = [
        centre + random.choice(shifts[gene % len(shifts)], per_gene)
        for gene, centre in enumerate(bins.start + FLANK_BP)
    ]
    table = pd.DataFrame({"chrom": np.repeat(bins.chrom, per_gene), "start": np.concatenate(start)})
    is_inside = table["start"].between(0, table["chrom"].map(GENOMES["hg19"]) - READ_BP)
    table = table[is_inside].sample(num_reads, random_state=0)
    table["end"] = table["start"] + READ_BP
    table["name"], table["score"] = "N", 1000
    table["strand"] = random.choice(["+", "-"], len(table))
    return table.sort_values(["chrom", "start"], kind="stable")


def write_bam(reads: pd.DataFrame, path: Path) -> None:
    sizes = {name: GENOMES["hg19"][name] for name in reads["chrom"].unique()}
    header = pysam.AlignmentHeader.from_references(list(sizes), list(sizes.values()))
    bases = np.random.default_rng(0).choice(list("ACGT"), (1000, READ_BP))
    sequences = ["".join(row) for row in bases]
    qualities = pysam.qualitystring_to_array("I" * READ_BP)
    with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
        for number, read in enumerate(reads.itertuples(index=False)):
            alignment = pysam.AlignedSegment(header)
            alignment.query_name = f"read.{number}"
            alignment.flag = pysam.FREVERSE if read.strand == "-" else 0
            alignment.reference_name = read.chrom
            alignment.reference_start = read.start
            alignment.mapping_quality = 30
            alignment.cigartuples = [(pysam.CMATCH, READ_BP)]
            alignment.query_sequence = sequences[number % 1000]
            alignment.query_qualities = qualities
            bam.write(alignment)
    pysam.index(str(path))


def write_bed(bins: RegionBins, path: Path) -> None:
    edges = bins.edges
    pd.DataFrame(
        {
            "chrom": np.repeat(bins.chrom, NUM_BINS),
            "start": edges[:, :-1].ravel(),
            "end": edges[:, 1:].ravel(),
        }
    ).to_csv(path, sep="\t", header=False, index=False)


def write_bigwig(reads: pd.DataFrame, path: Path) -> None:
    """The depth of the reads."""
    import pybigtools

    by_chrom = dict(tuple(reads.groupby("chrom")))
    sizes = {name: GENOMES["hg19"][name] for name in by_chrom}

    def depths() -> Iterator[tuple[str, int, int, float]]:
        for name, group in by_chrom.items():
            turns = np.concatenate([group["start"], group["end"]])
            step = np.repeat([1.0, -1.0], len(group))
            edges, place = np.unique(turns, return_inverse=True)
            depth = np.cumsum(np.bincount(place, weights=step))[:-1]
            for start, end, value in zip(edges[:-1], edges[1:], depth, strict=True):
                if value > 0:
                    yield name, int(start), int(end), float(value)

    pybigtools.open(str(path), "w").write(sizes, depths())


Loader = Callable[[], np.ndarray]
Side = Callable[[], Loader]
"""Does the work that is timed; what it returns loads the result, which is not timed."""


def keras_chrome(path: Path, bins: RegionBins) -> Side:
    def run() -> Loader:
        signal = read_signal(path, bins, ReadOptions(genome="hg19"))
        return lambda: signal.values

    return run


def in_this_process(path: Path, bins: RegionBins) -> Side:
    """`keras_chrome`, but for the child process which damage cannot leave."""
    run = keras_chrome(path, bins)

    def read(_: str, reader: Any, *args: Any, **options: Any) -> Iterator[Any]:
        return (item for item in reader(*args, **options) if item is not None)

    def run_here() -> Loader:
        with (
            patch("tfds_remc.remc.bam.read_apart", read),
            patch("tfds_remc.remc.bigwig.read_apart", read),
        ):
            return run()

    return run_here


def multicov(bam: Path, bed: Path, bins: RegionBins) -> Side:
    counts = bed.with_suffix(".multicov")

    def run() -> Loader:
        with counts.open("w") as output:
            command = ["bedtools", "multicov", "-bams", str(bam), "-bed", str(bed)]
            subprocess.run(command, stdout=output, check=True)
        return load

    def load() -> np.ndarray:
        table = pd.read_csv(counts, sep="\t", header=None)
        return table[3].to_numpy().reshape(len(bins.start), NUM_BINS)

    return run


def multi_bam_summary(program: str, bam: Path, bed: Path, bins: RegionBins) -> Side:
    counts = bed.with_suffix(".deeptools")

    def run() -> Loader:
        command = [program, "BED-file", "--BED", str(bed), "--bamfiles", str(bam)]
        command += ["--numberOfProcessors", "max", "--outFileName", f"{counts}.npz"]
        command += ["--outRawCounts", str(counts)]
        subprocess.run(command, capture_output=True, check=True)
        return load

    def load() -> np.ndarray:
        table = pd.read_csv(counts, sep="\t", header=None, skiprows=1)
        # Its rows are sorted and distinct; ours are neither.
        count = table.drop_duplicates([0, 1]).set_index([0, 1])[3]
        asked = [np.repeat(bins.chrom, NUM_BINS), bins.edges[:, :-1].ravel()]
        found = count.reindex(pd.MultiIndex.from_arrays(asked))
        return found.to_numpy().reshape(len(bins.start), NUM_BINS)

    return run


def pybigwig_stats(path: Path, bins: RegionBins) -> Side:
    import pyBigWig

    def run() -> Loader:
        with pyBigWig.open(str(path)) as bigwig:
            means = [
                bigwig.stats(chrom, start, start + 2 * FLANK_BP, nBins=NUM_BINS, exact=True)
                for chrom, start in zip(bins.chrom, bins.start.tolist(), strict=True)
            ]
        return lambda: np.array(means, dtype=np.float64)

    return run


def pybigtools_values(path: Path, bins: RegionBins) -> Side:
    import pybigtools

    options = {"bins": NUM_BINS, "exact": True, "uncovered": 0.0, "fillna": None}

    def run() -> Loader:
        with pybigtools.open(str(path)) as bigwig:
            means = [
                bigwig.values(chrom, start, start + 2 * FLANK_BP, **options)
                for chrom, start in zip(bins.chrom, bins.start.tolist(), strict=True)
            ]
        return lambda: np.stack(means)

    return run


def take_turns(sides: dict[str, Side], repeats: int) -> dict[str, np.ndarray]:
    """Times the sides in turns and prints medians; returns what each side computed."""
    wall_s: dict[str, list[float]] = {name: [] for name in sides}
    cpu_s: dict[str, list[float]] = {name: [] for name in sides}
    loaders = {}
    for _ in range(repeats):
        for name, run in sides.items():
            started, cpu_started = time.perf_counter(), cpu_seconds()
            loaders[name] = run()
            wall_s[name].append(time.perf_counter() - started)
            cpu_s[name].append(cpu_seconds() - cpu_started)
    ours = next(iter(sides))
    for name in sides:
        wall, cpu = statistics.median(wall_s[name]), statistics.median(cpu_s[name])
        print(
            f"  {name:<34} {wall:8.2f} s wall {cpu:8.2f} s CPU   "
            f"{wall / statistics.median(wall_s[ours]):6.1f} x the wall time of {ours} "
            f"({' '.join(f'{s:.2f}' for s in wall_s[name])})",
            flush=True,
        )
    return {name: load() for name, load in loaders.items()}


def cpu_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def peak_mib(tag_align: Path, options: ReadsOptions) -> float:
    """Counts a file in a process of its own; returns the most memory it held."""
    command = [sys.executable, __file__, str(options.data), "--peak-of", str(tag_align)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        ReadsOptions,
        argv,
        prog="python benchmarks/reads.py",
        description="Time counting reads in bins, side by side.",
    )
    bins = gene_bins(options.data)
    if options.peak_of:
        read_signal(options.peak_of, bins)
        # Not ru_maxrss, which a process takes over from the one that starts it.
        status = Path("/proc/self/status").read_text().splitlines()
        print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
        return
    with tempfile.TemporaryDirectory() as name:
        compare(options, bins, Path(name))


def compare(options: ReadsOptions, bins: RegionBins, folder: Path) -> None:
    tag_align, bam, bed, bigwig = (
        folder / f"reads{suffix}" for suffix in (".tagAlign.gz", ".bam", ".bed", ".bigWig")
    )
    reads = repeated_reads(options.data, bins, options.num_reads)
    reads.to_csv(tag_align, sep="\t", header=False, index=False)
    shuffled = folder / "shuffled.tagAlign.gz"
    reads.sample(frac=1, random_state=0).to_csv(shuffled, sep="\t", header=False, index=False)
    write_bam(reads, bam)
    write_bed(bins, bed)
    print(
        f"{len(reads):,} reads, {len(bins.start):,} regions of {NUM_BINS} bins, "
        f"{os.cpu_count()} cores, pysam {version('pysam')}, pandas {version('pandas')}; "
        f"median of {options.repeats}, taken in turns"
    )
    sides = {
        "keras-chrome, BAM": keras_chrome(bam, bins),
        "the same in this process": in_this_process(bam, bins),
        "keras-chrome, tagAlign.gz": keras_chrome(tag_align, bins),
        "keras-chrome, tagAlign.gz unsorted": keras_chrome(shuffled, bins),
    }
    if shutil.which("bedtools"):
        print(tool_version("bedtools"))
        sides["bedtools multicov"] = multicov(bam, bed, bins)
    else:
        print("bedtools is not installed: left out")
    if shutil.which(options.deeptools):
        print(tool_version(options.deeptools))
        sides["deepTools multiBamSummary"] = multi_bam_summary(options.deeptools, bam, bed, bins)
    else:
        print(f"{options.deeptools} is not installed: left out")
    counts = take_turns(sides, options.repeats)
    ours = counts["keras-chrome, BAM"]
    for name, count in counts.items():
        print(f"  {name}: {int((count != ours).sum()):,} of {ours.size:,} counts differ")

    print("peak memory by number of reads, tagAlign.gz:")
    five_fold = folder / "five_fold.tagAlign.gz"
    five_fold.write_bytes(tag_align.read_bytes() * 5)
    for path, times in ((tag_align, 1), (five_fold, 5)):
        print(f"  {times * len(reads):>12,} reads {peak_mib(path, options):6.0f} MiB")

    write_bigwig(reads, bigwig)
    print(f"bigWig, pybigtools {version('pybigtools')}")
    sides = {
        "keras-chrome": keras_chrome(bigwig, bins),
        "the same in this process": in_this_process(bigwig, bins),
        "pybigtools values": pybigtools_values(bigwig, bins),
    }
    if importlib.util.find_spec("pyBigWig"):
        sides[f"pyBigWig {version('pyBigWig')} stats"] = pybigwig_stats(bigwig, bins)
    else:
        print("pyBigWig is not installed: left out")
    means = take_turns(sides, options.repeats)
    difference = np.nanmax(np.abs(means["keras-chrome"] - means["pybigtools values"]))
    print(f"  largest difference from pybigtools {difference:.1g}")


def tool_version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    run_command(main, InputError)
