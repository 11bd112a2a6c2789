"""Which gene a name means."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from keras_chrome.data.gene_lookup import GeneNames
from keras_chrome.errors import InputError

# gene id, symbol, transcript id, chromosome, TSS, strand, split
GENES = [
    ("ENSG00000000005", "TNMD", "", "chrX", 99839799, "+", "train"),
    ("ENSG00000182378", "PLCXD1", "", "chrX", 192989, "+", "train"),
    ("ENSG00000182378_PAR_Y", "PLCXD1", "", "chrY", 142989, "+", "test"),
    ("ENSG00000167578", "MIA", "", "chr19", 41277553, "+", "valid"),
    ("ENSG00000167578", "RAB4B", "", "chr19", 41277553, "+", "valid"),
    ("ENSG00000196092", "PAX5", "ENST00000358127", "chr9", 37034475, "-", "test"),
    ("ENSG00000196092", "PAX5", "ENST00000377847", "chr9", 37025000, "-", "test"),
    ("RP11-34P13.7", "", "", "", -1, "", "test"),
    ("twice", "", "", "chr1", 5, "", "train"),
    ("twice", "", "", "chr1", 5, "", "test"),
    ("ENSG00000170689", "HOXB@", "", "chr17", 7, "-", "test"),
]


@pytest.fixture(scope="module")
def names() -> GeneNames:
    columns = [np.array(column) for column in zip(*GENES, strict=True)]
    return GeneNames(*columns[:-1], label=np.zeros(len(GENES), int), split=columns[-1])


def found(names: GeneNames, gene: str, **options: Any) -> int:
    return names.find(gene, where="remc/some", splits=names.split, **options)


@pytest.mark.parametrize(
    ("gene", "position"),
    [
        ("TNMD", 0),
        (" tnmd ", 0),
        ("ENSG00000000005", 0),
        ("ENSG00000000005.12", 0),
        ("ensg00000000005.5_2", 0),
        ("ENSG00000182378.15", 1),
        ("ENSG00000182378.15_PAR_Y", 2),
        ("PLCXD1@ENSG00000182378_PAR_Y", 2),
        ("plcxd1@chrY:142,989", 2),
        ("MIA", 3),
        ("ENSG00000167578.5@RAB4B", 4),
        ("ENST00000377847", 6),
        ("ENST00000377847.3", 6),
        ("PAX5@chr9:37034475", 5),
        ("chr9:37,034,475", 5),
        # Digits after a point are no version here.
        ("RP11-34P13.7", 7),
        ("twice~1", 8),
        ("twice~2", 9),
        ("HOXB@", 10),
    ],
)
def test_a_gene_has_several_names(names: GeneNames, gene: str, position: int) -> None:
    assert found(names, gene) == position


@pytest.mark.parametrize(
    "gene", ["", " ", "@", "PAX", "RP11-34P13", "RP11-34P13.8", "twice~3", "PAX5@chrX:1", "~1"]
)
def test_an_unknown_gene_is_refused(names: GeneNames, gene: str) -> None:
    with pytest.raises(InputError, match=r"remc/some \(11 genes\)\. Received: gene="):
        found(names, gene)


def test_genes_of_one_name_are_listed_with_what_to_ask_for(names: GeneNames) -> None:
    with pytest.raises(InputError) as error:
        found(names, "pax5")
    assert str(error.value) == (
        "Expected a name that one gene has. Received: gene='pax5', which 2 of remc/some have: "
        "PAX5@ENST00000358127 (ENSG00000196092, ENST00000358127, PAX5, chr9:37034475 -, test); "
        "PAX5@ENST00000377847 (ENSG00000196092, ENST00000377847, PAX5, chr9:37025000 -, test). "
        "Ask for the one meant by what stands before its bracket"
    )
    for gene in ("ENSG00000196092.8", "PLCXD1", "ENSG00000167578", "twice", "chr1:5"):
        with pytest.raises(InputError, match="which 2 of remc/some have: "):
            found(names, gene)


def test_each_gene_has_a_name_of_its_own(names: GeneNames) -> None:
    assert names.unique.tolist() == [
        *("TNMD", "ENSG00000182378", "ENSG00000182378_PAR_Y", "MIA", "RAB4B"),
        *("PAX5@ENST00000358127", "PAX5@ENST00000377847", "RP11-34P13.7"),
        *("twice~1", "twice~2", "HOXB@"),
    ]
    assert [found(names, name) for name in names.unique.tolist()] == list(range(len(names)))


def test_a_split_narrows_and_is_named(names: GeneNames) -> None:
    assert found(names, "PLCXD1", wanted="test") == 2
    assert found(names, "twice", wanted="train") == 8
    with pytest.raises(InputError, match=r"of split 'valid'.*'TNMD', which is in split 'train'$"):
        found(names, "TNMD", wanted="valid")
    with pytest.raises(
        InputError, match=r"remc/some, split 'test' \(6 genes\)\. .*; nearest: PAX5"
    ):
        found(names, "PAX6", wanted="test")
    # A run need not have every gene of a dataset in a split.
    splits = np.where(names.symbol == "MIA", "", names.split)
    with pytest.raises(InputError, match=r"\(10 genes\). Received: gene='MIA'"):
        names.find("MIA", where="remc/some", splits=splits)


def test_a_long_list_is_cut(names: GeneNames) -> None:
    number = 30
    text = np.full(number, "")
    many = GeneNames(
        gene_id=np.array([f"g{i}" for i in range(number)]),
        symbol=np.full(number, "U6"),
        transcript_id=text,
        chrom=text,
        tss=np.full(number, -1),
        strand=text,
        label=np.zeros(number, int),
        split=np.full(number, "test"),
    )
    with pytest.raises(InputError, match=r"which 30 .*: g0 \(g0, U6, test\);.*; and 20 more\."):
        found(many, "U6")


@pytest.mark.real_data
def test_every_published_gene_can_be_asked_for(real_data: Path) -> None:
    table = pd.read_csv(real_data / "remc" / "genes.tsv", sep="\t", keep_default_na=False)
    # As a dataset is read.
    symbol = table["symbol"].replace("NA", "")
    gene_id, chrom, strand, split = (
        table[name].to_numpy(str) for name in ("gene_id", "chrom", "strand", "published_split")
    )
    names = GeneNames(
        gene_id=gene_id,
        symbol=symbol.to_numpy(str),
        transcript_id=np.full(len(table), ""),
        chrom=chrom,
        tss=table["tss"].to_numpy(),
        strand=strand,
        label=np.zeros(len(table), int),
        split=split,
    )
    assert len(set(names.unique.tolist())) == len(names) == 19802
    repeated = table["gene_id"][table["gene_id"].duplicated()].tolist()
    assert len(repeated) == 7
    for gene_id in repeated:
        with pytest.raises(InputError, match="which 2 of remc/some have"):
            found(names, f"{gene_id}.3")
        positions = np.flatnonzero(names.gene_id == gene_id)
        assert [found(names, f"{gene_id}@{symbol[i]}") for i in positions] == positions.tolist()
    with pytest.raises(InputError, match=r"which 2 .*ENSG\d+ \(ENSG\d+, REXO1L2P"):
        found(names, "REXO1L2P")
    assert names.symbol[found(names, "ensg00000196092.12")] == "PAX5"
    with pytest.raises(InputError, match="gene='NA'"):
        found(names, "NA")
