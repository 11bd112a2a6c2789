"""Reads the files of all marks in one Apache Beam job, on this machine or on many.

Only the reading is a Beam job: it alone grows with the number of reads. What comes of it, one value
a bin, fits into memory and goes the way of the plain builder, whose records it therefore equals
byte for byte. Apache Beam is needed only to run a job, and imported then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import pickle
import shutil
import tempfile
import traceback
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .bam import UNPLACED, has_index
from .binning import RegionBins
from .chromosomes import canonical_names
from .errors import InputError
from .file_types import SignalFile, check_content
from .reads import BinnedSignal, ReadOptions, header_sizes, read_part, require_records
from .unfinished import EXCHANGE_PREFIX


class BeamError(InputError):
    """A Beam job that cannot be run, or did not end well."""


class FilePart(NamedTuple):
    """What one element of the job reads.

    Attributes:
        number: Which of the job's files.
        file: The file.
        region_chroms: The chromosomes of its gene regions, in UCSC's style.
        chroms: The chromosomes to read of an indexed BAM file, as the file names them; None for
            all.
        url: Where the file is fetched from; "" where it can be opened at its path.
    """

    number: int
    file: SignalFile
    region_chroms: tuple[str, ...]
    chroms: tuple[str, ...] | None = None
    url: str = ""


class PartSignal(NamedTuple):
    """What was read of one part of a file, or of several.

    Attributes:
        rows: (genes,) int, places of the part's gene regions among all, in ascending order.
        signal: The signal of these gene regions.
    """

    rows: np.ndarray
    signal: BinnedSignal


def parse_pipeline_options(text: str) -> Any:
    """Parses Beam's options as the `tfds` command does: "runner=FlinkRunner,flink_master=...".

    Returns:
        Beam's PipelineOptions.

    Raises:
        BeamError: If apache-beam is not installed, or an option has a value that it cannot have.
    """
    _import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(flags=[f"--{option}" for option in text.split(",")])
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):  # Of argparse, which then exits.
            options.get_all_options()
    except SystemExit:
        raise BeamError(
            "Expected Beam's options as NAME=VALUE,NAME=VALUE. "
            f"Received: {text!r} ({complaint.getvalue().splitlines()[-1]})."
        ) from None
    return options


def split_file(number: int, file: SignalFile, bins: RegionBins) -> list[FilePart]:
    """Splits a file into parts that can be read on their own, together all of it.

    A bigWig file and a BAM file with an index are split by chromosome. The last part also has what
    lies on no gene region's chromosome, which counts for the depth. A file of another type, or
    without an index, can only be read from its beginning: it stays whole.

    Args:
        number: Given to each part.
        file: The file.
        bins: Bins of all gene regions.

    Raises:
        SignalFileError: If the file is damaged or not of its type.
        ChromosomeError: If its chromosomes are named in two styles.
    """
    wanted = _region_chroms(bins)
    file_type = file.type()
    check_content(file.path, file_type)
    is_whole = file_type == "BAM" and not has_index(file.path)
    sizes = {} if is_whole else header_sizes(file)
    names_of: dict[str, list[str]] = {}
    for name, canonical in canonical_names(sizes, file.path.name, wanted, sizes).items():
        names_of.setdefault(canonical, []).append(name)
    shared = [chrom for chrom in wanted if chrom in names_of]
    if not shared:  # Without an index, or of another genome, which reading it will say.
        return [FilePart(number, file, wanted)]
    missing = [chrom for chrom in wanted if chrom not in names_of]
    others = [
        name for canonical in names_of if canonical not in shared for name in names_of[canonical]
    ]
    *first, last = (FilePart(number, file, (c,), tuple(names_of[c])) for c in shared)
    return [
        *first,
        last._replace(
            region_chroms=(*last.region_chroms, *missing),
            chroms=(*(last.chroms or ()), *others, UNPLACED),
        ),
    ]


def read_file_part(
    part: FilePart, bins: RegionBins, options: ReadOptions
) -> tuple[int, PartSignal | ValueError]:
    """Reads one part of a file, as a worker does.

    A file at fault is an answer and not a failure, which a runner would only try again.

    Args:
        part: Which part of which file.
        bins: Bins of all gene regions.
        options: How to count, and what to check.

    Returns:
        The number of the file, and what was read of it or the error.
    """
    rows = np.flatnonzero(np.isin(bins.canonical_chrom, part.region_chroms))
    own_bins = dataclasses.replace(bins, chrom=bins.chrom[rows], start=bins.start[rows])
    options = dataclasses.replace(options, file_type=part.file.file_type)
    try:
        with _local_copy(part) as path:
            signal = read_part(path, own_bins, options, part.chroms, _region_chroms(bins))
            return part.number, PartSignal(rows, signal)
    except FileNotFoundError:
        return part.number, BeamError(
            f"Expected every worker of the Beam job to see {part.file.path}. Received: no such "
            "file there. Put it on storage that all of them share, or give Beam a temp_location."
        )
    except ValueError as error:
        if not isinstance(error, InputError):  # A bug: it is to be seen where it was.
            error.add_note(traceback.format_exc())
        return part.number, error


def join_parts(parts: Iterable[PartSignal | ValueError]) -> PartSignal | ValueError:
    """Joins what was read of the parts of a file; in any order, and of joined parts again.

    Args:
        parts: At least one; no gene region stands in two of them, and no record was read twice.

    Returns:
        The joined parts; if any is an error, one of the errors.
    """
    parts = list(parts)
    if errors := [part for part in parts if isinstance(part, ValueError)]:
        return min(errors, key=str)
    sound = [part for part in parts if isinstance(part, PartSignal)]
    rows = np.concatenate([part.rows for part in sound])
    order = np.argsort(rows)
    signals = [part.signal for part in sound]
    left_out: Counter[str] = Counter()
    unmatched: Counter[str] = Counter()
    for signal in signals:
        left_out.update(signal.left_out)
        unmatched.update(signal.unmatched)
    return PartSignal(
        rows[order],
        BinnedSignal(
            values=np.concatenate([signal.values for signal in signals])[order],
            file_type=signals[0].file_type,
            num_records=sum(signal.num_records for signal in signals),
            num_used=sum(signal.num_used for signal in signals),
            left_out=dict(sorted(left_out.items())),
            unmatched=dict(unmatched),
            num_past_end=sum(signal.num_past_end for signal in signals),
            num_paired=sum(signal.num_paired for signal in signals),
            is_of_fragments=signals[0].is_of_fragments,
            missing_chroms=tuple(sorted({c for signal in signals for c in signal.missing_chroms})),
        ),
    )


def read_signals(
    files: Sequence[SignalFile],
    bins: RegionBins,
    options: ReadOptions | None = None,
    *,
    pipeline_options: Any = None,
    runner: Any = None,
    work_dir: Path,
) -> list[BinnedSignal]:
    """Reads several files as `reads.read_signal` does each, in one Beam job.

    With a `temp_location` among Beam's options, files go to the workers and results come back
    through it: a folder that Beam can open, such as gs://BUCKET/temp. Each file is then one
    element. Without it the workers must see the files, and `work_dir`, under the same paths.

    Args:
        files: The files.
        bins: Bins of gene regions.
        options: How to count, and what to check; what each file holds is said with it.
        pipeline_options: Beam's PipelineOptions.
        runner: Beam's runner; None for the one that the options name.
        work_dir: Folder where workers leave results for now, if there is no `temp_location`.

    Returns:
        What was read of each file.

    Raises:
        BeamError: If apache-beam is not installed, or the job failed.
        SignalFileError: As of `reads.read_signal`.
        ChromosomeError: As of `reads.read_signal`.
    """
    beam = _import_beam()
    options = options or ReadOptions()
    with _one_line_errors("runner that Beam knows"):
        pipeline = beam.Pipeline(runner=runner, options=pipeline_options)
    temp_location = pipeline.options.get_all_options().get("temp_location")
    with _exchange_folder(temp_location or str(work_dir.absolute())) as folder:
        parts: list[FilePart] = []
        for number, (path, file_type) in enumerate(files):
            file = SignalFile(path.absolute(), file_type)
            if temp_location:
                url = _upload(path, folder, number)
                parts.append(FilePart(number, file, _region_chroms(bins), url=url))
            else:
                parts += split_file(number, file, bins)
        _ = (
            pipeline
            | "Parts" >> beam.Create(parts)
            | "Read" >> beam.Map(functools.partial(read_file_part, bins=bins, options=options))
            | "Join" >> beam.CombinePerKey(join_parts)
            | "Write" >> beam.Map(functools.partial(_write, folder=folder))
        )
        with _one_line_errors("Beam job that ends well"):
            pipeline.run().wait_until_finish()
        return [_result(folder, number, file.path, bins) for number, file in enumerate(files)]


def _import_beam() -> Any:
    try:
        import apache_beam
    except ImportError:
        raise BeamError(
            "Expected apache-beam, to read with Beam. Received: it is not installed. "
            "pip install 'keras-chrome[beam]', or leave out the options of Beam."
        ) from None
    return apache_beam


def _file_systems() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def _region_chroms(bins: RegionBins) -> tuple[str, ...]:
    return tuple(np.unique(bins.canonical_chrom).tolist())


@contextlib.contextmanager
def _one_line_errors(expected: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # What is raised is each runner's own choice.
        last_line = (str(error).strip() or repr(error)).splitlines()[-1]
        raise BeamError(
            f"Expected a {expected}. Received: {type(error).__name__}, {last_line}"
        ) from error


@contextlib.contextmanager
def _exchange_folder(parent: str) -> Iterator[str]:
    """Yields the name of a new folder, on any file system of Beam, and removes it afterwards."""
    file_systems = _file_systems()
    folder = file_systems.join(parent, f"{EXCHANGE_PREFIX}{uuid.uuid4().hex}")
    file_systems.mkdirs(folder)
    try:
        yield folder
    finally:
        file_systems.delete([folder])


@contextlib.contextmanager
def _local_copy(part: FilePart) -> Iterator[Path]:
    if not part.url:
        yield part.file.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, part.file.path.name)
        with _file_systems().open(part.url) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield path


def _upload(path: Path, folder: str, number: int) -> str:
    url = f"{folder}/{number}.reads"
    with path.open("rb") as source, _file_systems().create(url) as target:
        shutil.copyfileobj(source, target)
    return url


def _write(numbered: tuple[int, PartSignal | ValueError], folder: str) -> None:
    number, read = numbered
    with _file_systems().create(f"{folder}/{number}.signal") as file:
        pickle.dump(read, file)


def _result(folder: str, number: int, path: Path, bins: RegionBins) -> BinnedSignal:
    try:
        with _file_systems().open(f"{folder}/{number}.signal") as file:
            read: PartSignal | ValueError = pickle.load(file)
    except OSError as error:
        raise BeamError(
            f"Expected the workers' result for {path.name} in {folder}. Received: none. Give a "
            "data_dir that all workers share, or give Beam a temp_location."
        ) from error
    if isinstance(read, ValueError):
        raise read
    require_records(read.signal, bins, path)
    return read.signal
