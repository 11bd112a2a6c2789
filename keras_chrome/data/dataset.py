"""A built `remc` dataset as NumPy arrays.

A split of one epigenome is small (6,600 genes are 13 MB), so it is read whole: training then
shuffles it in memory, and everything else indexes it.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_chrome.command_line import as_spelled
from keras_chrome.data.recorded_signal import RecordedSignal, chunks, joined, recorded_signal
from keras_chrome.data.records import build_again, open_builder, read_records
from keras_chrome.errors import InputError
from keras_chrome.vocabulary import LABELS, SPLITS

_BUILDER = "remc"
_INFO_FILE = "dataset_info.json"
_MOST_LISTED = 20
LABEL_FEATURES = {"median": "label", "published": "label_published"}
_GENE_FEATURES = (
    *("gene_id", "symbol", "transcript_id", "chrom", "tss", "strand", "rpkm", "oriented"),
)
# What tables write for a symbol that they do not know; datasets built by earlier versions keep it.
_UNKNOWN_SYMBOLS = ("na", "n/a", "#n/a", "-", ".", "nan")


_SOURCES_OF_READS = ("published", "simulated", "alignments", "sample_sheet")
_UNIT_OF_TRACK = {"fold_change": "fold change", "p_value": "-log10 p"}


@dataclass(frozen=True)
class Dataset:
    """A built dataset on disk, not yet read.

    Attributes:
        name: `remc/E012`.
        path: The folder of its version.
        marks: Every mark it holds, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        bin_bp: Width of a bin in bp.
        flank_bp: Distance from the TSS to either end of the gene region in bp.
        metadata: All that the builder recorded: genome, label rule, median, provenance. Of several
            epigenomes what is the same of all.
        parts: The datasets of one epigenome each that it joins; none if it is of one itself.
        missing: Marks that it lacks, and that are read as zero in every bin.
    """

    name: str
    path: Path
    marks: tuple[str, ...]
    num_bins: int
    bin_bp: int
    flank_bp: int
    metadata: dict[str, Any]
    parts: tuple["Dataset", ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def epigenome(self) -> str:
        """`E012` of `remc/E012`."""
        return epigenome_of(self.name)

    @property
    def medians(self) -> list[float | None]:
        """The median expression of each epigenome, None where expression is unknown."""
        return [part.metadata.get("median_rpkm") for part in self.parts or (self,)]

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self.marks)} marks x {self.num_bins} bins)"

    def find_marks(self, names: Sequence[str] | None = None) -> tuple[str, ...]:
        """Marks by their names, in any spelling that `as_spelled` knows; all if None.

        Raises:
            InputError: If a mark is not in the dataset, stands twice, or none is named.
        """
        if names is None:
            return self.marks
        found = tuple(as_spelled(name, (*self.marks, *self.missing)) for name in names)
        if missing := [mark for mark in found if mark not in (*self.marks, *self.missing)]:
            raise InputError(
                f"Expected marks that {self.name} holds ({', '.join(self.marks)}). "
                f"Received: marks={', '.join(missing)}"
            )
        check_each_once(found)
        return found

    def reading(self, marks: Sequence[str]) -> "Dataset":
        """The same dataset, in which those of the marks that it lacks are zero in every bin.

        That is what training with mark dropout makes of a mark, too: to such a model it is unknown.
        """
        missing = tuple(mark for mark in marks if mark not in self.marks)
        return replace(self, parts=tuple(p.reading(marks) for p in self.parts), missing=missing)

    @property
    def unit(self) -> str:
        """What expression is measured in, whatever it is: the features' name is `rpkm`."""
        if self.parts:
            return " or ".join(dict.fromkeys(part.unit for part in self.parts))
        # Own data built by earlier versions has it among the options alone.
        options = self.metadata.get("options") or {}
        return str(self.metadata.get("unit") or options.get("unit") or "RPKM")

    def signal_unit(self, signal: np.ndarray) -> str:
        """What the signal counts, in a word or two for an axis; `signal` where nobody knows.

        Args:
            signal: Of genes of this dataset: published files hold counts of reads, or their mean
                depth, and do not say which.
        """
        options = self.metadata.get("options", {})
        source = self.metadata.get("source")
        if source in _UNIT_OF_TRACK:
            return _UNIT_OF_TRACK[source]
        if source == "sample_sheet" and not self._is_of_reads():
            return "signal"
        if options.get("normalize") == "cpm":
            return "CPM"
        if source == "published" and (signal % 1).any():
            return "read depth"
        return "reads" if source in _SOURCES_OF_READS else "signal"

    def _is_of_reads(self) -> bool:
        """Whether the signal of every mark was counted from reads, by the names of its files."""
        files = self.metadata.get("provenance", {})
        names = [str(files.get(mark, {}).get("file", "")).lower() for mark in self.marks]
        return all(name.removesuffix(".gz").endswith((".bam", ".tagalign")) for name in names)

    def description(self) -> dict[str, Any]:
        """What a run keeps of its dataset, as JSON."""
        parts = [part.description() for part in self.parts]
        fingerprints = [part["fingerprint"] for part in parts]
        return {
            "name": self.name,
            "version": "+".join(part.path.name for part in self.parts or (self,)),
            "fingerprint": _of_parts(fingerprints) if parts else self.fingerprint(),
            "marks": list(self.marks),
            "num_bins": self.num_bins,
            "bin_bp": self.bin_bp,
            "flank_bp": self.flank_bp,
            "unit": self.unit,
            **{
                k: self.metadata.get(k) for k in ("genome", "oriented", "label_rule", "median_rpkm")
            },
            **({"epigenomes": parts} if parts else {}),
        }

    def fingerprint(self) -> str:
        """SHA-256 of the record files, in the order of their names; or of such of the parts.

        Every byte of them is read, on all cores.
        """
        if self.parts:
            return _of_parts([part.fingerprint() for part in self.parts])
        files = [
            path
            for path in sorted(self.path.iterdir())
            if ".tfrecord" in path.name or ".array_record" in path.name
        ]
        with ThreadPoolExecutor() as threads:
            return hashlib.sha256(b"".join(threads.map(_digest, files))).hexdigest()


def _of_parts(fingerprints: Sequence[str]) -> str:
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@dataclass(frozen=True)
class Genes:
    """Genes of one split, or of all; every array's first axis is the gene.

    Attributes:
        split: `train`, `valid` or `test`; `all` for every gene of the dataset.
        signal: float32 `(genes, bins, marks)`, as measured; or a `RecordedSignal`, if it was asked
            to stay in its files.
        label: int8 `(genes,)`, 1 for high expression, 0 for low.
        gene_id: Ensembl ids; seven of the published ones stand twice.
        symbol: Gene symbols, '' where unknown.
        transcript_id: Of the transcripts that the TSSs are of, '' where each gene has one TSS.
        chrom: Chromosomes, '' where unknown.
        tss: int64, 0-based position of the TSS, -1 where unknown.
        strand: '+', '-' or '' where unknown.
        rpkm: float32, in the dataset's `unit`, NaN where unknown.
        oriented: bool, true where the bins run in the direction of transcription.
        epigenome: Of the datasets that the genes are of, `E012` of `remc/E012`.
        num_unlabelled: Number of genes left out because the label rule says nothing of them.
    """

    split: str
    signal: np.ndarray
    label: np.ndarray
    gene_id: np.ndarray
    symbol: np.ndarray
    transcript_id: np.ndarray
    chrom: np.ndarray
    tss: np.ndarray
    strand: np.ndarray
    rpkm: np.ndarray
    oriented: np.ndarray
    epigenome: np.ndarray
    num_unlabelled: int

    def __len__(self) -> int:
        return len(self.label)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.signal.shape[1:]))
        return f"Genes({self.split!r}, {len(self)} genes, signal of {shape})"

    @property
    def has_direction(self) -> np.ndarray:
        """Whether it is known which way the bins run, bool `(genes,)`."""
        return np.asarray((self.strand != "") | self.oriented)

    def subset(self, split: str, selected: np.ndarray) -> "Genes":
        """The genes at positions, or where a boolean array is true, as a split of that name."""
        columns = {name: getattr(self, name)[selected] for name in _columns()}
        return replace(self, split=split, num_unlabelled=0, **columns)

    def by_epigenome(self) -> dict[str, np.ndarray]:
        """The positions of the genes of each epigenome, in the order in which these come."""
        names, first = np.unique(self.epigenome, return_index=True)
        return {n: np.flatnonzero(self.epigenome == n) for n in names[np.argsort(first)].tolist()}

    def known_where(self, is_known: np.ndarray) -> "Genes":
        """These genes without some, bool `(genes,)`, that count as unlabelled."""
        num_unlabelled = self.num_unlabelled + int((~is_known).sum())
        return replace(self.subset(self.split, is_known), num_unlabelled=num_unlabelled)


def _columns() -> list[str]:
    return [f.name for f in fields(Genes) if f.name not in ("split", "num_unlabelled")]


def _together(split: str, parts: Sequence[Genes]) -> Genes:
    columns = {name: joined([getattr(p, name) for p in parts]) for name in _columns()}
    return Genes(split, num_unlabelled=sum(p.num_unlabelled for p in parts), **columns)


def epigenome_of(dataset: str) -> str:
    """`E012` of `remc/E012`, the name of a dataset."""
    return dataset.rpartition("/")[2]


def split_title(scheme: str, dataset: Dataset) -> str:
    """A split scheme in words: whose splits are `dataset`, or `random split`."""
    if scheme != "dataset":
        return f"{scheme} split"
    is_published = dataset.metadata.get("source") == "published"
    return "published split" if is_published else "the dataset's split"


def check_each_once(marks: Sequence[str]) -> None:
    """See that no mark stands twice, and that there is one.

    Raises:
        InputError: If not.
    """
    if not marks or len(set(marks)) < len(marks):
        raise InputError(f"Expected each mark once, and at least one. Received: marks={marks}")


def open_dataset(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Find a built dataset.

    Args:
        name: `remc/E012`, or `E012` for short; or a folder: the dataset's, whose newest version it
            is, or a version's.
        data_dir: Where datasets were built; TFDS's default if None.

    Raises:
        InputError: If there is no such built dataset, or it is no `remc` dataset.
    """
    import tensorflow_datasets as tfds

    root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    path = _built_folder(name, root)
    info = open_builder(path).info
    metadata = dict(info.metadata or {})
    try:
        marks, num_bins = tuple(metadata["marks"]), int(metadata["num_bins"])
        shape = info.features["signal"].shape
        if shape != (num_bins, len(marks)) or len(set(marks)) < len(marks):
            raise ValueError(f"{num_bins} bins, marks {marks} of a signal of shape {shape}")
        return Dataset(
            name="/".join(filter(None, (info.name, info.config_name))),
            path=path,
            marks=marks,
            num_bins=num_bins,
            bin_bp=int(metadata["bin_bp"]),
            flank_bp=int(metadata["flank_bp"]),
            metadata=metadata,
        )
    except KeyError as error:
        raise InputError(
            f"Expected a dataset built by tfds_remc, with {error.args[0]} in its metadata. "
            f"Received: {path}"
        ) from None
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Expected marks, num_bins, bin_bp and flank_bp in the metadata of {path}. Received: "
            f"others, {error}. {build_again(path)}"
        ) from None


def _built_folder(name: str, root: Path) -> Path:
    """The folder of a dataset's version."""
    folder = Path(name).expanduser()
    if (folder / _INFO_FILE).is_file():
        return folder
    for place in (root / name, root / _BUILDER / name, folder):
        if versions := _versions(place):
            return versions[-1]
    built = built_datasets(root)
    full_name = name if "/" in name else f"{_BUILDER}/{name}"
    if (spelled := as_spelled(full_name, built)) in built:
        return _versions(root / spelled)[-1]
    raise InputError(
        f"Expected a built dataset in {root} ({_listed(built)}). Received: dataset={name!r}, "
        f"data_dir={str(root)!r}. Build it with `python -m tfds_remc --config {folder.name} "
        f"--data-dir {root}`, or name another --data-dir"
    )


def built_datasets(root: Path) -> set[str]:
    """The names of the datasets that are built in a folder."""
    return {f"{p.parts[-4]}/{p.parts[-3]}" for p in root.absolute().glob(f"*/*/*/{_INFO_FILE}")}


def _versions(folder: Path) -> list[Path]:
    """The folders of a dataset's versions, the newest last; a version's own folder is its."""
    if (folder / _INFO_FILE).is_file():
        return [folder]
    folders = [path.parent for path in folder.glob(f"*/{_INFO_FILE}")]
    return sorted(folders, key=lambda p: [int(n) for n in p.name.split(".") if n.isdigit()])


def _listed(built: set[str]) -> str:
    if not built:
        return "there is none"
    names = sorted(built)[:_MOST_LISTED]
    more = f" and {len(built) - len(names)} more" if len(built) > len(names) else ""
    return f"there are {', '.join(names)}{more}"


def read_columns(dataset: Dataset, split: str, *, stream: bool = False) -> dict[str, np.ndarray]:
    """Read every feature of a split's genes, whatever their labels.

    Args:
        dataset: From `open_dataset`.
        split: `train`, `valid` or `test`, as the dataset has them.
        stream: Leave the signal in its files, as a `RecordedSignal`.

    Returns:
        An array a feature, whose first axis is the gene; text is decoded, and an unknown symbol
        is ''. `transcript_id` is '' in a dataset whose genes have one TSS each.

    Raises:
        InputError: If the split is not in the dataset, or is empty, or the dataset is of several
            epigenomes; or if a file of it is missing or damaged.
    """
    if dataset.parts:
        raise InputError(
            f"Expected a dataset of one epigenome. Received: {dataset.name}; name one of "
            + ", ".join(part.name for part in dataset.parts)
        )
    builder = open_builder(dataset.path)
    if split not in builder.info.splits:
        raise InputError(
            f"Expected one of {sorted(builder.info.splits)}. Received: split={split!r}"
        )
    num_genes = builder.info.splits[split].num_examples
    if not num_genes:
        raise InputError(f"Expected genes in split {split!r} of {dataset.name}. Received: none")
    columns = read_records(builder, split, dataset.path, stream=stream)
    columns = {name: _text(column) for name, column in columns.items()}
    if stream:
        names, shape = columns.pop("tfds_id").tolist(), (dataset.num_bins, len(dataset.marks))
        columns["signal"] = recorded_signal(dataset.path, names, *shape)  # type: ignore[assignment]
    columns["symbol"][np.isin(np.char.lower(columns["symbol"]), _UNKNOWN_SYMBOLS)] = ""
    return {"transcript_id": np.full(num_genes, ""), **columns}


def load_genes(
    dataset: Dataset,
    split: str = "all",
    *,
    marks: Sequence[str] | None = None,
    labels: str = "median",
    stream: bool = False,
) -> Genes:
    """Read the labelled genes of a split of the dataset; of several epigenomes one after the other.

    Args:
        dataset: From `open_dataset`.
        split: `train`, `valid` or `test`, as the dataset has them, or `all`.
        marks: Marks to read, by name, in the order wanted; all of the dataset if None.
        labels: `median`, high if rpkm > the epigenome's median as numbers, or `published`, the
            label in the authors' file.
        stream: Leave the signal in its files, as a `RecordedSignal`.

    Raises:
        InputError: If the split or a mark is not in the dataset, the split is empty, the label
            rule is unknown, or signal is negative or no finite number.
    """
    marks, rule = dataset.find_marks(marks), label_rule(labels)
    if dataset.parts or split == "all":
        each = [(p, split) for p in dataset.parts] or [(dataset, name) for name in SPLITS]
        return _together(
            split, [load_genes(*p, marks=marks, labels=rule, stream=stream) for p in each]
        )

    columns = read_columns(dataset, split, stream=stream)
    label = columns[LABEL_FEATURES[rule]]
    labelled = label >= 0
    order = [(*dataset.marks, *dataset.missing).index(m) for m in marks]
    columns = {name: columns[name][labelled] for name in ("signal", *_GENE_FEATURES)}
    signal = columns.pop("signal")
    if isinstance(signal, RecordedSignal):
        signal = signal.of_marks(order, len(dataset.missing))
    else:
        if dataset.missing:
            signal = np.pad(signal, ((0, 0), (0, 0), (0, len(dataset.missing))))
        signal = np.ascontiguousarray(signal[..., order], np.float32)
    first = 0
    for chunk in chunks(signal):
        check_signal(chunk, dataset, columns["gene_id"][first:], marks)
        first += len(chunk)
    return Genes(
        split=split,
        signal=signal,
        label=label[labelled].astype(np.int8),
        epigenome=np.full(len(signal), dataset.epigenome),
        num_unlabelled=int((~labelled).sum()),
        **columns,
    )


def label_rule(name: str) -> str:
    """A label rule by its name in any spelling of `as_spelled`.

    Raises:
        InputError: If it is unknown.
    """
    if (rule := as_spelled(name, LABELS)) not in LABELS:
        raise InputError(f"Expected one of {LABELS}. Received: labels={name!r}")
    return rule


def check_signal(
    signal: np.ndarray, dataset: Dataset, gene_id: np.ndarray, marks: Sequence[str]
) -> None:
    """See that signal is a finite number in every bin, and not negative.

    A dataset built today holds no other; those built by earlier versions may.

    Args:
        signal: `(genes, bins, marks)`.
        dataset: Where it was read.
        gene_id: Text `(genes,)`.
        marks: Names of the marks.

    Raises:
        InputError: If it is not.
    """
    broken = broken_bins(signal)
    if len(broken):
        gene, bin_, mark = broken[0]
        raise InputError(
            f"Expected signal of 0 or more, a finite number, in {dataset.name}. Received: "
            f"{signal[gene, bin_, mark]:g} in bin {bin_ + 1} of {marks[mark]} at {gene_id[gene]}, "
            f"and {len(broken) - 1} more such bins. Build the dataset anew from read counts, "
            "depth, fold change or -log10 p instead of log2 ratios, or train on other --marks"
        )


def broken_bins(signal: np.ndarray) -> np.ndarray:
    """Where signal is negative or no finite number: places `(broken, axes)`, as `np.argwhere`."""
    return np.argwhere(~(np.isfinite(signal) & (signal >= 0)))


def check_classes(genes: Genes, dataset: Dataset, labels: str) -> None:
    """See that genes of both classes are there: without, there is no AUROC.

    Raises:
        InputError: If there are not.
    """
    if len(classes := np.unique(genes.label)) == 2:
        return
    found = f"{len(genes)} genes, all labelled {classes[0]}" if len(classes) else "none"
    unlabelled = f", and {genes.num_unlabelled} without label" if genes.num_unlabelled else ""
    raise InputError(
        f"Expected genes of both classes in split {genes.split!r} of {dataset.name} with "
        f"labels={labels!r}. Received: {found}{unlabelled}"
    )


def _text(column: np.ndarray) -> np.ndarray:
    """Bytes, as TFDS returns text, decoded; anything else as it is."""
    if column.dtype.kind not in "OS":
        return column
    return np.array([value.decode() for value in column])
