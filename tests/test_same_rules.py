"""Rules that two packages hold, which never import each other: what one understands the other does.

Each has them in its own words; here they answer the same cases.
"""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_chrome.data.dataset as trained
import serving.genes as served
from keras_chrome.data.dataset import Dataset
from keras_chrome.data.gene_lookup import GeneNames
from keras_chrome.errors import InputError
from serving.errors import InputError as ServingInputError
from serving.web.catalogue import Catalogue, Gene
from tfds_remc import RemcBuilder, RemcConfig
from tfds_remc.command_line import one_line
from tfds_remc.remc.errors import InputError as RemcInputError

PARTS = {
    "gene_id": ["ENSG00000000005", "ENSG00000000005.12", "ENSG00000000005_PAR_Y", "RP11-1.2", "7"],
    "symbol": ["", "MIA", "mia", "HOXB@", "RP11-1.2", "ENSG00000000005", "chr1:5", "C~2"],
    "transcript_id": ["", "ENST00000377847", "ENST00000377847.3", "NM_000111.2"],
    "chrom": ["", "chr1", "chrX"],
    "tss": [-1, 5, 37034475],
    "strand": ["", "+", "-"],
}
TYPED = [
    *("mia", " MIA ", "ENSG00000000005", "ensg00000000005.7", "ENSG00000000005.3_PAR_Y"),
    *("ENSG00000000005.5_2", "RP11-1", "RP11-1.2", "RP11-1.3", "chr1:5", "CHRX:37,034,475"),
    *("MIA@chr1:5", "ENSG00000000005@mia@chrX:5", "MIA@", "@", "", "~1", "MIA~1", "MIA~2", "MIA~0"),
    *("HOXB@", "HOXB@@chr1:5", "C~2", "C~2~1", "ENST00000377847", "NM_000111.9", "NA", "7", "7.1"),
]


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version of a built dataset."""
    config = RemcConfig(name="small", source="simulated", num_genes=6, bin_bp=5000)
    builder = RemcBuilder(config=config, data_dir=tmp_path_factory.mktemp("data"))
    builder.download_and_prepare()
    return Path(builder.data_path)


@pytest.mark.parametrize("seed", range(20))
def test_a_name_means_the_same_genes(seed: int) -> None:
    draw = random.Random(seed)
    rows = [
        {name: draw.choice(values) for name, values in PARTS.items()}
        for _ in range(draw.randint(1, 12))
    ]
    columns = {name: np.array([row[name] for row in rows]) for name in PARTS}
    names = GeneNames(**columns, label=np.zeros(len(rows), int), split=np.full(len(rows), "test"))
    genes = [
        Gene(
            key="",
            gene_id=row["gene_id"],
            symbol=row["symbol"],
            place=f"{row['chrom']}:{row['tss']:,}" if row["chrom"] and row["tss"] >= 0 else "",
            strand=row["strand"],
            split="test",
            oriented=None,
            rpkm=1.0,
            is_high=None,
            is_high_published=None,
            transcript_id=row["transcript_id"],
        )
        for row in rows
    ]
    signal = np.zeros((len(rows), 2, 1), np.float32)
    catalogue = Catalogue("remc/own", {}, ("H3K4me3",), genes, signal).with_keys()
    assert [gene.key for gene in catalogue.genes] == names.unique.tolist()
    for typed in [*TYPED, *names.unique.tolist()]:
        assert catalogue.find(typed) == names._positions(typed), typed


@pytest.mark.parametrize(
    ("metadata", "value"),
    [
        ({"source": "published"}, 3.0),
        ({"source": "published"}, 0.36),
        ({"source": "simulated"}, 3.0),
        ({"source": "alignments"}, 3.0),
        ({"source": "alignments", "options": {"normalize": "cpm"}}, 0.36),
        ({"source": "fold_change"}, 0.36),
        ({"source": "p_value"}, 0.36),
        ({"source": "signal_array"}, 3.0),
        ({"source": "sample_sheet", "provenance": {"H3K4me3": {"file": "a.BAM"}}}, 3.0),
        ({"source": "sample_sheet", "provenance": {"H3K4me3": {"file": "a.tagAlign.gz"}}}, 3.0),
        ({"source": "sample_sheet", "provenance": {"H3K4me3": {"file": "a.bw"}}}, 3.0),
        ({"unit": "TPM", "options": {"unit": "FPKM"}}, 3.0),
        ({"options": {"unit": "FPKM"}}, 3.0),
        ({}, 3.0),
    ],
)
def test_signal_and_expression_have_the_same_units(metadata: dict[str, Any], value: float) -> None:
    signal = np.full((1, 2, 1), value, np.float32)
    dataset = Dataset("remc/own", Path(), ("H3K4me3",), 2, 100, 100, metadata)
    catalogue = Catalogue("remc/own", metadata, ("H3K4me3",), (), signal)
    assert catalogue.unit == dataset.unit
    # An axis has a word on it even where nobody knows.
    assert (catalogue.signal_unit or "signal") == dataset.signal_unit(signal)


@pytest.mark.parametrize(
    ("typed", "is_one"),
    [
        ("remc/E012", True),
        ("E012", True),
        ("e012", True),
        ("REMC/e012", True),
        ("{data_dir}/remc/E012", True),
        ("{data_dir}/remc/E012/1.0.0", True),
        ("E01", False),
        ("remc", False),
        ("remc/E012/2.0.0", False),
    ],
)
def test_a_dataset_is_found_by_the_same_names(
    dataset_dir: Path, tmp_path: Path, typed: str, is_one: bool
) -> None:
    folder = tmp_path / "remc" / "E012"
    folder.mkdir(parents=True)
    (folder / "1.0.0").symlink_to(dataset_dir)
    typed = typed.format(data_dir=tmp_path)
    if not is_one:
        with pytest.raises(InputError, match=f"there are remc/E012.*'{typed}'"):
            trained.open_dataset(typed, tmp_path)
        with pytest.raises(ServingInputError, match=f"remc/E012 in .*dataset={typed}"):
            served.open_dataset(typed, tmp_path)
    else:
        assert trained.open_dataset(typed, tmp_path).path.samefile(dataset_dir)
        assert dataset_dir.samefile(str(served.open_dataset(typed, tmp_path).data_path))


@pytest.mark.parametrize("typed", ["H3K4me3", "h3k4me3", "H3K4ME3", "H3K4Me3"])
def test_a_mark_is_known_in_the_same_spellings(typed: str) -> None:
    marks = ("H3K27me3", "H3K4me3")
    dataset = Dataset("remc/own", Path(), marks, 2, 100, 100, {})
    assert dataset.find_marks([typed]) == ("H3K4me3",)
    signal = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    picked = served.Genes(np.array(["G"]), signal, marks).with_marks([typed])
    np.testing.assert_array_equal(picked.signal, signal[:, :, [1]])


@pytest.mark.parametrize(
    "text",
    ["", "a b", " a \n  b\r\n", "\x1b[31mred\0", "\u202eturned\u2028", "x" * 901, "y" * 5000],
)
def test_a_message_is_the_same_line_where_tfds_imports_it(text: str) -> None:
    line = str(RemcInputError(text))
    assert line == one_line(text)
    assert line.isprintable() and len(line) <= 900
