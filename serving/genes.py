"""Genes to predict, from a built dataset or a NumPy file; `serving.csv_genes` reads CSV.

All are read in chunks, so that no file has to fit in memory.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from zipfile import ZipFile, is_zipfile

import numpy as np

from serving.command_line import as_spelled
from serving.errors import InputError

# 2 MB of 100 bins and 5 marks.
CHUNK_GENES = 1024
_MAX_NPZ_BYTES = 2**30
_BUILDER = "remc"
_INFO_FILE = "dataset_info.json"


class Genes(NamedTuple):
    """Gene regions and their signal.

    Attributes:
        gene_id: Text array `(genes,)`, as the input names them.
        signal: Floating-point array `(genes, bins, marks)`, as measured.
        marks: Names of the marks, in the order of the last axis.
        about: What is known of the gene regions: `bin_bp`, `flank_bp`, `oriented`, and in `source`
            where they come from. Empty where nothing is.
    """

    gene_id: np.ndarray
    signal: np.ndarray
    marks: tuple[str, ...]
    about: Mapping[str, Any] = MappingProxyType({})

    def with_marks(self, marks: Sequence[str]) -> "Genes":
        """The marks of that name, in whatever spelling, in that order.

        Raises:
            InputError: If a mark is missing, or stands twice.
        """
        check_distinct(self.marks)
        axes = {plain_mark(mark): axis for axis, mark in enumerate(self.marks)}
        missing = [mark for mark in marks if plain_mark(mark) not in axes]
        if missing:
            raise InputError(
                f"Expected the marks {', '.join(marks)}. Received: {', '.join(self.marks)}, "
                f"without {', '.join(missing)}. Ask a model that was trained on these marks, or "
                "name them with --marks"
            )
        wanted = [axes[plain_mark(mark)] for mark in marks]
        return self._replace(signal=self.signal[:, :, wanted], marks=tuple(marks))


def plain_mark(mark: str) -> str:
    """A mark's name without what its spellings differ in: `h3k4me3` and `H3-K4-Me3` are one."""
    return re.sub(r"[\s_.-]", "", mark).casefold()


def check_distinct(marks: Sequence[str]) -> None:
    """Refuse marks that are one, in whatever spelling, and such without a name.

    Raises:
        InputError: Likewise.
    """
    plain = [plain_mark(mark) for mark in marks]
    if len(set(plain)) < len(plain) or "" in plain or not plain:
        raise InputError(f"Expected each mark once. Received: marks={', '.join(marks) or 'none'}")


def check_signal(
    signal: np.ndarray, gene_names: Sequence[Any] | np.ndarray, marks: Sequence[str]
) -> None:
    """Refuse signal that is not a number, endless or negative.

    Args:
        signal: `(n, bins, marks)`.
        gene_names: n names for the message.
        marks: Names of the marks, likewise.

    Raises:
        InputError: At the first such number.
    """
    usable = np.isfinite(signal) & (signal >= 0)
    if not usable.all():
        gene, bin_, mark = np.argwhere(~usable)[0]
        value = signal[gene, bin_, mark]
        remedy = "Write 0 where there is none" if np.isnan(value) else "Is it a log ratio? Take"
        if not np.isnan(value):
            remedy += " the fold change or -log10 p"
        raise InputError(
            "Expected signal as read count or depth, numbers that are not negative. Received: "
            f"{value} (gene {gene_names[gene]}, bin {bin_}, mark {marks[mark]}, counted from 0). "
            f"{remedy}"
        )


def check_regions(about: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Refuse gene regions that are not laid out as those on which a model was trained.

    Args:
        about: What is known of the gene regions, as in `Genes`; nothing is compared if it is empty.
        model: What the model says of itself.

    Raises:
        InputError: If they differ.
    """
    for key in ("bin_bp", "flank_bp", "oriented") if about else ():
        expected = model.get(key)
        if expected is not None and about.get(key) != expected:
            raise InputError(
                f"Expected {key}={expected}, on which the model was trained. Received: "
                f"{key}={about.get(key)} in {about.get('source')}. Pick another model or dataset"
            )


def open_dataset(dataset: str | Path, data_dir: str | Path | None = None) -> Any:
    """The builder, of tensorflow-datasets, of a built dataset.

    Args:
        dataset: Its name, such as `remc/E012`, `E012` for short or `remc/E012:1.0.0`; or its
            folder, or that of a version. Without a version the highest is taken.
        data_dir: Where datasets were built; the default of tensorflow-datasets if None.

    Raises:
        InputError: If there is no such dataset, or its metadata do not name its marks.
    """
    import tensorflow_datasets as tfds

    root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    name = Path(str(dataset).replace(":", "/")).expanduser()
    given = Path(dataset).expanduser()
    folder: Path | None = given
    if not (given / _INFO_FILE).is_file():
        places = (root / name, root / _BUILDER / name, given, name)
        folder = next(filter(None, map(_version_folder, places)), None)
    if folder is None:
        infos = (info for depth in ("*/*", "*/*/*") for info in root.glob(f"{depth}/{_INFO_FILE}"))
        built = sorted({str(info.parent.parent.relative_to(root)) for info in infos})
        in_capitals = as_spelled(str(name), built), as_spelled(f"{_BUILDER}/{name}", built)
        folder = next((_version_folder(root / n) for n in in_capitals if n in built), None)
    if folder is None:
        known = f" ({', '.join(built)} in {root})" if built else ""
        raise InputError(
            f"Expected a built dataset{known}: its name, or the folder of its version, which holds "
            f"{_INFO_FILE}. Received: dataset={dataset}, data_dir={root}. Build it: "
            f"python -m tfds_remc --config {name.name} --data-dir {root}"
        )
    builder = tfds.builder_from_directory(folder)
    if "marks" not in (builder.info.metadata or {}):
        raise InputError(f"Expected a dataset whose metadata name its marks. Received: {folder}")
    return builder


def _version_folder(place: Path) -> Path | None:
    """The place, if it is the folder of a version, or the highest version in it."""
    if (place / _INFO_FILE).is_file():
        return place
    return max(
        (path.parent for path in place.glob(f"*/{_INFO_FILE}")),
        key=lambda path: [int(part) for part in path.name.split(".") if part.isdecimal()],
        default=None,
    )


def examples_of(builder: Any, split: str) -> Iterator[Mapping[str, Any]]:
    """The examples of a split as NumPy arrays, whatever the format of its files."""
    import tensorflow_datasets as tfds

    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        return iter(builder.as_data_source(split))
    return iter(tfds.as_numpy(builder.as_dataset(split=split)))


def iter_dataset(
    dataset: str | Path,
    split: str,
    chunk_genes: int = CHUNK_GENES,
    data_dir: str | Path | None = None,
) -> Iterator[Genes]:
    """Read genes from a split of what `open_dataset` opens, at most `chunk_genes` at a time.

    Raises:
        InputError: If there is no such dataset or split, or its signal is none.
    """
    builder = open_dataset(dataset, data_dir)
    metadata = builder.info.metadata
    if split not in builder.info.splits:
        raise InputError(
            f"Expected one of the splits {', '.join(builder.info.splits)}. Received: split={split}"
        )
    if not builder.info.splits[split].num_examples:
        raise InputError(f"Expected genes. Received: an empty split={split} of {dataset}")
    examples = examples_of(builder, split)
    while chunk := list(islice(examples, chunk_genes)):
        gene_id = np.array([text_of(example["gene_id"]) for example in chunk])
        signal = np.stack([example["signal"] for example in chunk])
        check_signal(signal, gene_id, metadata["marks"])
        yield Genes(gene_id, signal, tuple(metadata["marks"]), {**metadata, "source": dataset})


def text_of(value: Any) -> str:
    """A text of an example, which may come as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def iter_numpy(
    path: str | Path, marks: Sequence[str] | None = None, chunk_genes: int = CHUNK_GENES
) -> Iterator[Genes]:
    """Read genes from a file of NumPy arrays.

    Args:
        path: An NPY file with the signal, floating-point `(genes, bins, marks)`; or an NPZ file
            with the arrays `signal`, `marks` and, if the genes have names, `gene_id`. Genes
            without names are called by their number, from 0.
        marks: Names of the marks, in the order of the last axis: of an NPY file, which has none.
        chunk_genes: Most genes at a time.

    Raises:
        InputError: If the file cannot be read or is not laid out so, marks are missing or given
            twice, or the signal is none.
    """
    arrays = _read_arrays(path)
    if marks is not None:
        if "marks" in arrays:
            raise InputError(f"Expected the marks once. Received: --marks, and marks in {path}")
        arrays["marks"] = np.array(marks)
    missing = [name for name in ("signal", "marks") if name not in arrays]
    if missing:
        raise InputError(
            "Expected the arrays signal and marks. Received: "
            f"{path}, without {', '.join(missing)}. Name the marks of an NPY file with --marks"
        )
    signal, names = np.atleast_1d(arrays["signal"]), tuple(map(str, np.ravel(arrays["marks"])))
    if not signal.size:
        raise InputError(f"Expected genes. Received: {path}, whose signal is {signal.shape}")
    gene_id = arrays["gene_id"] if "gene_id" in arrays else np.arange(len(signal))
    if signal.ndim != 3 or signal.shape[2] != len(names) or gene_id.shape != signal.shape[:1]:
        raise InputError(
            "Expected signal (genes, bins, marks), a mark's name for each of its last axis and a "
            f"gene_id for each of its first. Received: {path}: signal {signal.shape}, "
            f"{len(names)} marks, gene_id {gene_id.shape}"
        )
    check_distinct(names)
    for start in range(0, len(signal), chunk_genes):
        part = slice(start, start + chunk_genes)
        # Whole numbers are left for the client to refuse, which says how to convert them.
        check_signal(signal[part], gene_id[part], names)
        yield Genes(gene_id[part].astype(str), signal[part], names)


def _read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    # Who wrote the file chose what NumPy and zipfile meet: what they raise has no end.
    try:
        if not is_zipfile(path):
            # What is not read takes no memory.
            return {"signal": np.lib.format.open_memmap(path, mode="r")}
        with ZipFile(path) as archive:
            num_bytes = sum(member.file_size for member in archive.infolist())
        if num_bytes > _MAX_NPZ_BYTES:
            raise ValueError(f"{num_bytes:,} bytes unpacked; save the signal alone as NPY")
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise TypeError(f"{name}, which is no array")
            if array.dtype.kind == "U":
                # NumPy takes any 32 bits for one.
                characters = array.ravel().view(f"{array.dtype.byteorder}u4")
                if characters.max(initial=0) > sys.maxunicode:
                    raise ValueError(f"{name}, of characters that there are not")
    except Exception as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {str(error)[:300]}"
        raise InputError(
            f"Expected arrays in an NPY or NPZ file. Received: {path} ({reason})"
        ) from error
    return arrays
