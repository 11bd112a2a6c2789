"""Genes of a dataset: read as they are, found as people call them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.errors import InputError
from serving.web.catalogue import Catalogue, Gene, _gene, read_catalogue, read_catalogues


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tfds_remc import RemcBuilder, RemcConfig

    config = RemcConfig(name="tiny", source="simulated", num_genes=60, bin_bp=500)
    path = tmp_path_factory.mktemp("data")
    RemcBuilder(config=config, data_dir=path).download_and_prepare()
    (found,) = path.glob("remc/tiny/*/dataset_info.json")
    return found.parent


@pytest.fixture(scope="module")
def read(dataset_dir: Path) -> Catalogue:
    return read_catalogue(dataset_dir)


def test_genes_are_those_of_the_dataset(dataset_dir: Path, read: Catalogue) -> None:
    import tensorflow_datasets as tfds

    assert read.name == "remc/tiny"
    assert len(read.genes) == 60 == len({gene.key for gene in read.genes})
    builder = tfds.builder_from_directory(dataset_dir)
    for split in ("train", "valid", "test"):
        of_split = [i for i, gene in enumerate(read.genes) if gene.split == split]
        examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
        for i, example in zip(of_split, examples, strict=True):
            gene = read.genes[i]
            assert gene.gene_id == example["gene_id"].decode()
            assert gene.symbol == example["symbol"].decode() == gene.name
            assert gene.strand == example["strand"].decode()
            assert gene.is_high == bool(example["label"])
            assert gene.place == f"{example['chrom'].decode()}:{example['tss']:,}"
            assert gene.rpkm == pytest.approx(float(example["rpkm"]))
            assert gene.oriented is False
            np.testing.assert_array_equal(read.signal[i], example["signal"])
    assert read.genes[0].is_high_published is None


def test_one_split_is_read_alone(dataset_dir: Path) -> None:
    assert {gene.split for gene in read_catalogue(dataset_dir, ["valid"]).genes} == {"valid"}


def test_a_gene_is_found_by_symbol_id_or_key(catalogue: Catalogue) -> None:
    assert catalogue.find(" pax5 ") == catalogue.find("ensg00000196092") == [0]
    assert catalogue.find("TSPAN6") == catalogue.find("ENSG00000000003") == [2, 3]
    assert catalogue.find("ENSG00000000003~2") == [3]
    assert catalogue.find("PAX") == catalogue.find("") == catalogue.find("TSPAN6@PAX5") == []


@pytest.fixture
def many() -> Catalogue:
    """Genes that share their names in every way."""
    rows = [
        ("ENSG00000000001", "MIA", "", "chr1:1,000"),
        ("ENSG00000000002", "MIA", "", "chr1:2,000"),
        ("ENSG00000000003.5", "TSS", "ENST00000000001.2", "chr1:3,000"),
        ("ENSG00000000003.5", "TSS", "ENST00000000002.2", "chr1:4,000"),
        ("ENSG00000000004", "", "", "chrX:5,000"),
        ("ENSG00000000005", "ASMT", "", "chrX:6,000"),
        ("ENSG00000000005_PAR_Y", "ASMT", "", "chrY:6,000"),
        ("ENSG00000000006", "TWIN", "", ""),
        ("ENSG00000000006", "TWIN", "", ""),
        ("RP11-1.2", "RP11-1.2", "", "chr2:7,000"),
        ("RP11-1.3", "RP11-1.3", "", "chr2:8,000"),
    ]
    genes = [
        Gene("", gene_id, symbol, place, "+", "test", None, 1.0, None, None, transcript_id)
        for gene_id, symbol, transcript_id, place in rows
    ]
    signal = np.zeros((len(genes), 2, 1), np.float32)
    return Catalogue("remc/own", {}, ("H3K4me3",), genes, signal).with_keys()


def test_every_gene_has_a_name_of_its_own(many: Catalogue) -> None:
    assert [gene.key for gene in many.genes] == [
        "ENSG00000000001",
        "ENSG00000000002",
        "TSS@ENST00000000001.2",
        "TSS@ENST00000000002.2",
        "ENSG00000000004",
        "ENSG00000000005",
        "ENSG00000000005_PAR_Y",
        "ENSG00000000006~1",
        "ENSG00000000006~2",
        "RP11-1.2",
        "RP11-1.3",
    ]
    for i, gene in enumerate(many.genes):
        assert many.find(gene.key) == many.find(gene.key.lower()) == [i]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ENSG00000000001.12", [0]),
        ("ensg00000000003", [2, 3]),
        ("ENSG00000000003.9", [2, 3]),
        ("ENST00000000002", [3]),
        ("ENST00000000002.7", [3]),
        ("chr1:2,000", [1]),
        ("MIA@chr1:2000", [1]),
        ("MIA@ENSG00000000001", [0]),
        ("MIA", [0, 1]),
        ("ENSG00000000005.3_PAR_Y", [6]),
        ("TWIN~2", [8]),
        ("TWIN~3", []),
        ("RP11-1.2", [9]),
        ("RP11-1", []),
        ("NA", []),
    ],
)
def test_a_gene_has_several_names(many: Catalogue, text: str, found: list[int]) -> None:
    assert many.find(text) == found
    if found:
        assert set(many.search(text, 10)[0]) >= set(found)


def test_a_symbol_that_says_that_there_is_none_is_none() -> None:
    for symbol in (b"NA", b"n/a", b"-", b".", b"nan", b""):
        assert _gene({"gene_id": b"ENSG1", "symbol": symbol}, "test").name == "ENSG1"
    assert _gene({"gene_id": b"ENSG1", "symbol": b"NAT1"}, "test").name == "NAT1"


@pytest.mark.parametrize(
    ("metadata", "unit"),
    [
        ({}, "RPKM"),
        ({"unit": "FPKM"}, "FPKM"),
        ({"options": {"unit": "TPM"}}, "TPM"),
        ({"options": {"unit": None}}, "RPKM"),
        ({"unit": "counts", "options": {"unit": "TPM"}}, "counts"),
    ],
)
def test_the_unit_is_the_datasets(many: Catalogue, metadata: dict, unit: str) -> None:
    assert replace(many, metadata=metadata).unit == unit


@pytest.mark.parametrize(
    ("metadata", "unit"),
    [
        ({"source": "alignments"}, "reads"),
        ({"source": "p_value"}, "-log10 p"),
        ({"source": "alignments", "options": {"normalize": "cpm"}}, "CPM"),
        ({"source": "sample_sheet", "provenance": {"H3K4me3": {"file": "a.BAM"}}}, "reads"),
        ({"source": "sample_sheet", "provenance": {"H3K4me3": {"file": "a.bw"}}}, ""),
        ({"source": "published"}, "reads"),
        ({}, ""),
    ],
)
def test_the_signal_has_a_unit_where_it_is_known(
    many: Catalogue, metadata: dict, unit: str
) -> None:
    assert replace(many, metadata=metadata).signal_unit == unit
    if metadata.get("source") == "published":
        of_depth = replace(many, metadata=metadata, signal=many.signal + np.float32(0.5))
        assert of_depth.signal_unit == "read depth"


def test_search_puts_the_likeliest_first(catalogue: Catalogue) -> None:
    assert catalogue.search("pax", 10) == ([1, 0], 2)
    assert catalogue.search("pax", 1) == ([1], 2)
    assert catalogue.search("PAX5", 10) == ([0], 1)
    # Within the name, after those that start with it.
    assert catalogue.search("pa", 10)[0] == [1, 0, 2, 3]
    assert catalogue.search(" ", 10) == ([], 0)
    assert catalogue.search("<script", 10) == ([4], 1)


def test_a_dataset_that_is_laid_out_otherwise_is_refused(catalogue: Catalogue) -> None:
    catalogue.check({"bin_bp": 100, "flank_bp": None})
    with pytest.raises(InputError, match=r"bin_bp=50, .*Received: bin_bp=100 in remc/demo"):
        catalogue.check({"bin_bp": 50})
    assert catalogue.suits({"marks": ["H3K4me3"], "oriented": False})
    assert not catalogue.suits({"marks": ["H3K4me3"], "oriented": True})
    assert not catalogue.suits({"marks": ["H2A.Z"]})


def test_what_is_no_dataset_is_refused(dataset_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset_info\.json. Received: dataset="):
        read_catalogue(tmp_path)
    with pytest.raises(InputError, match=r"train, valid, test.*Received: split=all"):
        read_catalogue(dataset_dir, ["all"])
    with pytest.raises(InputError, match=r"different names. Received: remc/tiny twice"):
        read_catalogues([dataset_dir, dataset_dir])
    assert list(read_catalogues([dataset_dir], ["test"])) == ["remc/tiny"]
