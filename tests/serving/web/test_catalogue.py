"""Genes of a dataset: read as they are, found as people call them."""

from pathlib import Path

import numpy as np
import pytest

from serving.errors import InputError
from serving.web.catalogue import Catalogue, read_catalogue, read_catalogues


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
    assert catalogue.find("PAX") == catalogue.find("") == []


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
