import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfds_remc import RemcConfig

Options = dict[str, Any]


@pytest.fixture
def own(tmp_path: Path) -> Options:
    """Options of own reads; what the files of genes, expression and reads hold is not looked at."""
    for name in ("a.bam", "genes.gtf", "expression.tsv"):
        (tmp_path / name).write_text(name)
    (tmp_path / "sheet.csv").write_text(
        "epigenome,mark,path\nK562,H3K4me3,a.bam\nK562,H3K27ac,a.bam\n"
    )
    return {
        "sample_sheet": str(tmp_path / "sheet.csv"),
        "genes": str(tmp_path / "genes.gtf"),
        "expression": str(tmp_path / "expression.tsv"),
    }


@pytest.fixture
def array(tmp_path: Path) -> str:
    path = tmp_path / "own.npz"
    np.savez(
        path,
        marks=np.array(["H3K4me3", "CTCF"]),
        signal=np.zeros((1, 2, 100)),
        gene_id=np.array(["ENSG00000000003"]),
        chrom=np.array(["chrX"]),
        tss=np.array([99_894_988]),
        strand=np.array(["-"]),
    )
    return str(path)


def test_own_reads(own: Options) -> None:
    config = RemcConfig(**own)
    assert (config.source, config.name, config.epigenome) == ("sample_sheet", "K562", "K562")
    assert config.marks == ("H3K4me3", "H3K27ac")
    assert config.genome == ""
    some = RemcConfig(**own, marks=["H3K27ac"], name="K562.ac-only", flank_bp=20_000, bin_bp=200)
    assert (some.name, some.marks, some.num_bins) == ("K562.ac-only", ("H3K27ac",), 200)


def test_own_array(array: str) -> None:
    config = RemcConfig(signal_array=array, epigenome="K562")
    assert (config.source, config.marks) == ("signal_array", ("H3K4me3", "CTCF"))
    assert RemcConfig(signal_array=array, epigenome="K562", marks=["CTCF"]).marks == ("CTCF",)


@pytest.mark.parametrize("source", ["alignments", "fold_change", "p_value"])
def test_roadmap_from_source(source: str) -> None:
    config = RemcConfig(source=source, epigenome="E003", marks=["H3K27ac", "H3K4me3"])
    assert config.name == f"E003_{source}"
    assert config.marks == ("H3K27ac", "H3K4me3")
    assert config.genome == "hg19"
    assert len(RemcConfig(source=source, epigenome="E003").marks) == 5


def test_an_epigenome_of_ones_own_leaves_the_ready_made_names_alone(array: str) -> None:
    assert RemcConfig(signal_array=array, epigenome="E003").name == "E003_signal_array"
    assert RemcConfig(signal_array=array, epigenome="demo").name == "demo_signal_array"
    with pytest.raises(ValueError, match=r"no ready-made dataset has\. Received: name='Toy'"):
        RemcConfig(signal_array=array, epigenome="mine", name="Toy")


@pytest.mark.parametrize("name", ["K562 rep 1", "a/b", "..", "", "a:1", "Kölner"])
def test_names_that_cannot_be_a_folder(array: str, name: str) -> None:
    with pytest.raises(ValueError, match="a name of the dataset of letters, digits"):
        RemcConfig(signal_array=array, epigenome=name)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"marks": ["H3K4me1"]}, r"one of H3K4me3, H3K27ac\. Received: mark='H3K4me1'"),
        ({"marks": ["H3K27ac", "H3K27ac"]}, r"each mark once\. Received: marks=H3K27ac, H3K27ac"),
        ({"epigenome": "HeLa"}, r"an epigenome of sheet\.csv: K562\. Received: epigenome='HeLa'"),
        ({"genes": ""}, r"sample_sheet, genes, expression of own data\. Received: no genes\."),
        ({"genes": "no.gtf"}, r"Expected a file\. Received: genes='no\.gtf', no such file"),
        ({"unit": "FPK"}, r"unit to be one of RPKM, FPKM, TPM, counts\. Received: unit='FPK'"),
        ({"tss": "exon"}, r"tss to be one of gene, transcript\. Received: tss='exon'"),
        ({"edges": "cut"}, r"edges to be one of keep, drop"),
        ({"genome": "hg20"}, r"genome to be one of hg19, hg38, mm10\. Received: genome='hg20'"),
        ({"position": "3p"}, r"position to be one of overlap, five_prime"),
        ({"normalize": "rpkm"}, r"normalize to be one of none, cpm"),
        ({"bin_bp": 0}, r"Received: flank_bp=5000, bin_bp=0"),
        ({"oriented": True, "num_genes": 5}, r"source='sample_sheet'.*Received: oriented, num_"),
        ({"source": "alignments", "epigenome": "E003"}, r"Received: sample_sheet, genes, expr"),
    ],
)
def test_options_at_fault(own: Options, options: Options, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        RemcConfig(**{**own, **options})


def test_options_without_use_are_refused(array: str) -> None:
    with pytest.raises(ValueError, match=r"source='signal_array' has.*Received: normalize\."):
        RemcConfig(signal_array=array, epigenome="K562", normalize="cpm")
    with pytest.raises(ValueError, match=r"source='published' has.*Received: genome\."):
        RemcConfig(epigenome="E003", genome="hg38")
    with pytest.raises(ValueError, match=r"Expected signal_array of own data\. Received: no sig"):
        RemcConfig(source="signal_array", epigenome="K562")


def test_options_are_those_of_the_source(own: Options, array: str) -> None:
    assert RemcConfig(epigenome="E003").options() == {
        "source": "published",
        "epigenome": "E003",
        "folder": "E003",
        "marks": ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"],
        "bin_bp": 100,
        "flank_bp": 5000,
        "oriented": None,
    }
    of_array = RemcConfig(signal_array=array, epigenome="K562", seed=3).options()
    assert (of_array["seed"], "normalize" in of_array, "signal_array" in of_array) == (3, 0, 0)
    of_reads = RemcConfig(**own, subtract_control=True).options()
    assert of_reads["subtract_control"] is True
    assert json.loads(json.dumps(of_reads)) == of_reads


def test_provenance_is_of_the_content(own: Options, tmp_path: Path) -> None:
    before = RemcConfig(**own).provenance()
    assert list(before) == ["sample_sheet", "genes", "expression"]
    # The MD5 of the text "genes.gtf".
    assert before["genes"] == {
        "file": "genes.gtf",
        "bytes": 9,
        "md5": "cdace3a527f4fe685a565a06fd1ae173",
    }
    Path(own["genes"]).write_text("genes_gtf")
    assert RemcConfig(**own).provenance()["genes"] != before["genes"]
