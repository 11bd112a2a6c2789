import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfds_remc import RemcConfig
from tfds_remc.remc.errors import InputError
from tfds_remc.remc.sources import (
    PublishedConfig,
    RoadmapConfig,
    SampleSheetConfig,
    SignalArrayConfig,
    SimulatedConfig,
)

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


def test_each_source_has_its_class(own: Options, array: str) -> None:
    for config_class, options in (
        (PublishedConfig, {"epigenome": "E003", "oriented": True}),
        (SimulatedConfig, {"name": "small", "source": "simulated", "num_genes": 30}),
        (RoadmapConfig, {"source": "p_value", "epigenome": "E003", "tss": "transcript"}),
        (SampleSheetConfig, {**own, "min_mapq": 30}),
        (SignalArrayConfig, {"signal_array": array, "epigenome": "K562", "genome": "hg38"}),
    ):
        config = RemcConfig(**options)
        assert type(config) is config_class
        assert isinstance(config, RemcConfig)
        assert config_class(**options).options() == config.options()
        assert pickle.loads(pickle.dumps(config)).options() == config.options()
        assert dataclasses.replace(config, name="other").options() == config.options()


def test_an_option_that_a_source_has_no_use_for_does_not_exist() -> None:
    assert not hasattr(RemcConfig(epigenome="E003"), "min_mapq")
    for config_class, options in (
        (RemcConfig, {"source": "published", "epigenome": "E003", "seed": 0}),
        (PublishedConfig, {"epigenome": "E003", "seed": 0}),
        (RoadmapConfig, {"source": "alignments", "epigenome": "E003", "unit": "RPKM"}),
        (RoadmapConfig, {"source": "alignments", "epigenome": "E003", "genome": "hg19"}),
    ):
        useless = [*options][-1]
        with pytest.raises(
            InputError,
            match=rf"Expected options that source='\w+' has a use for: name, .* "
            rf"Received: {useless}\.",
        ):
            config_class(**options)


def test_a_source_is_of_its_class() -> None:
    with pytest.raises(InputError, match=r"source to be one of published, alignments, .*='own'\."):
        RemcConfig(source="own")
    with pytest.raises(InputError, match=r"source to be one of alignments, fold_change, p_value\."):
        RoadmapConfig(epigenome="E003")
    with pytest.raises(InputError, match=r"source to be one of simulated\. Received: source='pub"):
        SimulatedConfig(name="small", source="published")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"seed": "1"}, r"seed to be a whole number\. Received: seed='1'"),
        ({"seed": True}, r"seed to be a whole number\. Received: seed=True"),
        ({"flank_bp": 5000.0}, r"flank_bp to be a whole number\. Received: flank_bp=5000\.0"),
        ({"extend_bp": "200"}, r"extend_bp to be a whole number"),
        ({"subtract_control": 1}, r"subtract_control to be true or false\. Received: .*=1"),
        ({"epigenome": 3}, r"epigenome to be text\. Received: epigenome=3"),
        ({"marks": "H3K4me3"}, r"marks to be a list of names\. Received: marks='H3K4me3'"),
        ({"marks": ["H3K4me3", 1]}, r"marks to be text\. Received: marks=1"),
        ({"genes": 1}, r"genes to be the path of a file\. Received: genes=1"),
    ],
)
def test_values_of_another_type(own: Options, options: Options, match: str) -> None:
    with pytest.raises(InputError, match=match):
        RemcConfig(**{**own, **options})


def test_values_that_will_do(own: Options) -> None:
    given = {"seed": np.int64(3), "extend_bp": None, "biotype": None, "marks": ("H3K27ac",)}
    options = RemcConfig(**{**own, "genes": Path(own["genes"])}, **given).options()
    assert {name: options[name] for name in given} == {**given, "marks": ["H3K27ac"]}
    assert json.loads(json.dumps(options)) == options


def test_a_tilde_is_the_home_folder(
    own: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = RemcConfig(**{**own, "sample_sheet": "~/sheet.csv", "genes": Path("~/genes.gtf")})
    assert isinstance(config, SampleSheetConfig)
    assert (config.sample_sheet, config.genes) == (tmp_path / "sheet.csv", tmp_path / "genes.gtf")
    with pytest.raises(InputError, match=rf"Received: genes='{tmp_path}/no\.gtf', no such file"):
        RemcConfig(**{**own, "genes": "~/no.gtf"})
