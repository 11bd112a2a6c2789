"""Own reads that can be counted by hand, built by the command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pybigtools
import pysam
import pytest
import tensorflow_datasets as tfds
from absl import logging

from tfds_remc import RemcConfig
from tfds_remc.remc.published import SPLITS
from tfds_remc.remc.sources.examples import Inputs

ReadExamples = Callable[[Path], dict[str, dict[str, Any]]]

# In this order their splits are train, valid and test.
GENES = ("ENSG00000000005", "ENSG00000000419", "ENSG00000000003")


def metadata(path: Path) -> dict[str, Any]:
    return json.loads((path / "1.0.0" / "metadata.json").read_text())


def test_every_epigenome_of_a_sheet(
    tmp_path: Path,
    build_own: Callable[..., int],
    read_examples: ReadExamples,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verbosity = logging.get_verbosity()
    assert build_own() == 0
    assert logging.get_verbosity() == verbosity
    captured = capsys.readouterr()
    assert [line for line in captured.out.splitlines() if "genes in" in line] == [
        f"remc/{name}/1.0.0: genes in train 1, valid 1, test 1 ({tmp_path}/data/remc/{name}/1.0.0)"
        for name in ("K562", "HeLa")
    ]
    assert "WARNING" not in captured.err
    assert "Dataset remc downloaded" not in captured.out
    warnings = [line for line in captured.err.splitlines() if line.startswith("warning: ")]
    over_end = (
        "warning: 1 gene regions reach over an end of their chromosome; the feature beyond_end "
        "marks those bins"
    )
    assert warnings.count(over_end) == 2
    assert "warning: HeLa has no CTCF, which other epigenomes of sheet.csv have" in warnings

    assert warnings.count("warning: expression.csv: 1 lines left out that repeat another") == 2

    genes = read_examples(tmp_path / "data" / "remc" / "K562")
    hela = read_examples(tmp_path / "data" / "remc" / "HeLa")
    assert {gene: genes[gene]["split"] for gene in GENES} == {
        gene: example["split"] for gene, example in hela.items()
    }
    np.testing.assert_array_equal(
        np.stack([genes[gene].pop("signal") for gene in GENES]),
        np.stack(
            [
                [[2, 1, 0, 1], [0, 0, 1, 1], [0, 1, 0, 0]],
                [[0, 2, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
            ],
            axis=-1,
        ),
    )
    np.testing.assert_array_equal(genes[GENES[2]]["beyond_end"], [True, False, False, False])
    assert not genes[GENES[0]].pop("beyond_end").any()
    assert genes[GENES[0]] == {
        "gene_id": GENES[0].encode(),
        "symbol": b"",
        "chrom": b"chr1",
        "tss": 1000,
        "strand": b"+",
        "rpkm": 1.0,
        "label": 0,
        "label_published": -1,
        "oriented": False,
        "split": "train",
    }
    # The median is 5, of the three genes; the fourth one of the table has no region.
    assert [genes[gene]["label"] for gene in GENES] == [0, 0, 1]
    assert "warning: train: 0 of 1 labelled genes are high (0.0 %)" in captured.err
    assert "--median-over" not in captured.err
    assert [hela[gene]["label"] for gene in GENES] == [1, 0, -1]


def test_what_is_recorded(
    tmp_path: Path, own: Path, build_own: Callable[..., int], read_examples: ReadExamples
) -> None:
    assert build_own("--epigenome", "K562", "--marks", "CTCF", "H3K4me3", "--seed", "0") == 0
    recorded = metadata(tmp_path / "data" / "remc" / "K562")
    assert recorded["marks"] == recorded["options"]["marks"] == ["CTCF", "H3K4me3"]
    assert (recorded["genome"], recorded["median_rpkm"], recorded["num_bins"]) == ("hg19", 5, 4)
    assert recorded["label_rule"].startswith("high if rpkm > median_rpkm, the median of the epigen")
    assert "over the genes of the dataset that have an rpkm" in recorded["label_rule"]
    assert (recorded["unit"], recorded["options"]["median_over"]) == ("RPKM", "genes")
    assert recorded["options"]["position"] == "overlap"
    assert list(recorded["provenance"]) == [
        *("genes", "expression", "CTCF", "H3K4me3", "sample_sheet"),
    ]
    assert recorded["provenance"]["CTCF"]["file"] == "CTCF.bedGraph"
    assert recorded["provenance"]["CTCF"]["bytes"] == (own / "CTCF.bedGraph").stat().st_size
    folder = tmp_path / "data" / "remc" / "K562" / "1.0.0" / "quality"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("quality.json", "summary.txt", "tss_profiles.png", "tss_profiles.svg"),
    ]
    quality = json.loads((folder / "quality.json").read_text())
    assert quality["num_expressed_without_region"] == 1
    assert [mark["num_used"] for mark in quality["marks"]] == [1, 5]
    assert not (
        read_examples(tmp_path / "data" / "remc" / "K562")[GENES[0]]["signal"][:, 0] - [0, 2, 1, 0]
    ).any()


def test_the_median_over_the_whole_table(
    tmp_path: Path,
    build_own: Callable[..., int],
    read_examples: ReadExamples,
    capsys: pytest.CaptureFixture[str],
) -> None:
    advice = "warning: --median-over genes labels by the median of the dataset's genes"
    words = ("--median-over", "TABLE", "--unit", "tpm", "--genome", "GRCh37.p13")
    assert build_own("--epigenome", "K562", *words) == 0
    assert advice in capsys.readouterr().err.splitlines()
    genes = read_examples(tmp_path / "data" / "remc" / "K562")
    # The median is 3.5, of all four genes of the table.
    assert [genes[gene]["label"] for gene in GENES] == [0, 1, 1]
    recorded = metadata(tmp_path / "data" / "remc" / "K562")
    assert (recorded["median_rpkm"], recorded["unit"], recorded["genome"]) == (3.5, "TPM", "hg19")
    assert "over all genes of the RPKM table" in recorded["label_rule"]
    assert build_own("--epigenome", "K562", *words[:2], "--unit", "TPM") == 0


def test_a_table_of_one_sample_is_of_the_only_epigenome(
    own: Path, build_own: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{gene}\t{tpm}\t0\n" for tpm, gene in enumerate(GENES))
    (own / "genes.results").write_text("gene_id\tTPM\tFPKM\n" + rows)
    args = ("--unit", "TPM", "--epigenome", "K562", "--marks", "CTCF")
    assert build_own(*args, expression="genes.results") == 2
    assert "Expected one column K562 in genes.results. Received: TPM" in capsys.readouterr().err
    sheet = (own / "sheet.csv").read_text().splitlines(keepends=True)
    (own / "one.csv").write_text("".join(line for line in sheet if "HeLa" not in line))
    assert build_own(*args, sheet="one.csv", expression="genes.results") == 0


def test_marks_in_another_spelling(
    tmp_path: Path, own: Path, build_own: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = own / "sheet.csv"
    sheet.write_text(sheet.read_text().replace("H3K4me3,", "H3K4Me3,"))
    assert build_own("--epigenome", "K562", "--marks", "h3k4ME3", "CTCF") == 0
    lines = capsys.readouterr().err.splitlines()
    assert "warning: sheet.csv: H3K4Me3 is taken for H3K4me3" in lines
    assert "warning: marks: h3k4ME3 is taken for H3K4me3" in lines
    assert metadata(tmp_path / "data" / "remc" / "K562")["marks"] == ["H3K4me3", "CTCF"]
    assert build_own("--epigenome", "K562", "--marks", "H3K4me3", "H3k4me3", "--name", "a") == 2
    assert "each mark once. Received: marks=H3K4me3, H3k4me3." in capsys.readouterr().err
    sheet.write_text(sheet.read_text() + "K562,H3K4me3,input.tagAlign,\n")
    assert build_own("--epigenome", "K562", "--name", "twice") == 2
    assert "H3K4Me3 of K562 in line 2 and H3K4me3 in line 5" in capsys.readouterr().err


def test_what_is_odd_about_the_tables_is_said(
    tmp_path: Path, own: Path, build_own: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    line = 'chr1\tx\t{}\t{}\t{}\t.\t+\t.\t gene_id "{}"; transcript_id "{}"\n'
    (own / "genes.gtf").write_text(
        line.format("gene", 1000, 2000, GENES[0], "")
        + line.format("transcript", 5000, 6000, GENES[1], "t1")
        + line.format("exon", 100, 200, GENES[2], "t2")
        + line.format("exon", 7000, 7100, "twice", "t3")
        + line.format("exon", 9_000_000, 9_000_100, "twice", "t4")
    )
    (own / "htseq.tsv").write_text(
        f"gene_id\tK562\n{GENES[0]}\t1\n{GENES[1]}\t5\n{GENES[2]}\t9\n1-Mar\t2\n__no_feature\t7\n"
    )
    args = ("--epigenome", "K562", "--biotype", "all")
    assert build_own(*args, genes="genes.gtf", expression="htseq.tsv") == 0
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("warning: ")]
    assert lines[:3] == [
        "warning: genes.gtf: 2 of 3 genes have no gene line, and span their transcripts and exons",
        "warning: htseq.tsv: 1 lines left out that are no genes: __no_feature",
        "warning: htseq.tsv: 1 gene ids are dates (1-Mar), which Excel makes of symbols such as "
        "MARCH1 and SEPT2. Mend them, or these genes find no counterpart",
    ]
    left_out = "1 left out: genes on several chromosomes or strands, or far apart on one"
    assert left_out in captured.out


@pytest.mark.parametrize(
    ("args", "counts"),
    [
        (["--position", "five_prime"], [[2, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]),
        (["--extend-bp", "200"], [[2, 3, 3, 1], [0, 0, 1, 1], [1, 1, 0, 0]]),
        (["--normalize", "cpm"], np.array([[2, 1, 0, 1], [0, 0, 1, 1], [0, 1, 0, 0]]) * 1e6 / 6),
        # Six reads and three of the control: its reads count twice.
        (["--subtract-control"], [[0, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]),
        (["--bin-bp", "200"], [[2, 1], [0, 1], [1, 0]]),
    ],
)
def test_options_of_reading(
    build_own: Callable[..., int], monkeypatch: pytest.MonkeyPatch, args: list[str], counts: Any
) -> None:
    configs: list[RemcConfig] = []
    monkeypatch.setattr("tfds_remc.__main__.build", lambda config, **_: configs.append(config))
    monkeypatch.setattr("tfds_remc.__main__._report", lambda _: None)
    assert build_own("--epigenome", "K562", "--marks", "H3K4me3", *args) == 0
    (config,) = configs
    columns_of = config.examples(Inputs(download_manager=None)).columns_of
    assert [columns_of[split]["gene_id"].tolist() for split in SPLITS] == [[g] for g in GENES]
    signal = np.concatenate([columns_of[split]["signal"][..., 0] for split in SPLITS])
    np.testing.assert_allclose(signal, counts)


def test_regions_over_an_end_are_dropped(
    tmp_path: Path,
    own: Path,
    build_own: Callable[..., int],
    read_examples: ReadExamples,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with (own / "genes.tsv").open("a") as genes:
        genes.write("ENSG00000000938\tchr1\t7000\t+\n")
    (own / "genes.tsv").write_text((own / "genes.tsv").read_text().replace("\t1\t", "\tchr1\t"))
    # The third gene was the only one of its split.
    assert build_own("--epigenome", "K562", "--edges", "drop") == 2
    assert "Received: none in test, of 3 gene regions" in capsys.readouterr().err
    with (own / "genes.tsv").open("a") as genes:
        genes.write("ENSG00000000000\tchr1\t9000\t+\n")
    assert build_own("--epigenome", "K562", "--edges", "drop") == 0
    assert "1 left out: regions over an end of their chromosome" in capsys.readouterr().out
    assert GENES[2] not in read_examples(tmp_path / "data" / "remc" / "K562")


@pytest.fixture
def build_by_headers(own: Path, tmp_path: Path, command: Callable[..., int]) -> Callable[..., int]:
    """Writes files of one read or value each, with these headers, and runs the command on them.

    The gene regions are [800, 1200), [4800, 5200) and [-100, 300).
    """

    def write(name: str, sizes: dict[str, int]) -> Path:
        path = own / name
        path.parent.mkdir(exist_ok=True)
        (first, *_) = sizes
        if path.suffix != ".bam":
            pybigtools.open(str(path), "w").write(sizes, iter([(first, 810, 846, 2.0)]))
            return path
        header = pysam.AlignmentHeader.from_references(list(sizes), list(sizes.values()))
        with pysam.AlignmentFile(str(path), "wb", header=header) as bam:
            read = pysam.AlignedSegment(header)
            read.query_name, read.cigarstring = "read", "36M"
            read.reference_id, read.reference_start = 0, 810
            bam.write(read)
        return path

    def build(
        *args: str,
        mark: dict[str, int],
        other: dict[str, int],
        control: dict[str, int] | None = None,
        of_other: str = "K562",
    ) -> int:
        write("mark.bam", mark)
        write("folder/other.bw", other)
        if control:
            write("folder/mark.bam", control)
        (own / "headers.csv").write_text(
            "epigenome,mark,path,control\n"
            f"K562,H3K4me3,mark.bam,{'folder/mark.bam' if control else ''}\n"
            f"{of_other},CTCF,folder/other.bw,\nK562,H3K9ac,H3K4me3 rep 1.tagAlign,\n"
        )
        tables = ("--genes", own / "genes.tsv", "--expression", own / "expression.csv")
        sheet = ("--data-dir", tmp_path / "data", "--sample-sheet", own / "headers.csv")
        return command(*sheet, *tables, "--flank-bp", "200", *args)

    return build


def test_sizes_come_from_the_headers_of_files(
    tmp_path: Path,
    own: Path,
    build_by_headers: Callable[..., int],
    read_examples: ReadExamples,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In two styles, beside a spike-in; the tagAlign file has reads beyond and no say."""
    sizes = {"mark": {"chr1": 5150, "2L": 90}, "other": {"1": 5150, "MT": 16_569}}
    assert build_by_headers(**sizes) == 0
    over = "2 gene regions reach over an end of their chromosome; the feature beyond_end marks"
    assert over in capsys.readouterr().err
    genes = read_examples(tmp_path / "data" / "remc" / "K562")
    assert [genes[gene]["beyond_end"].tolist() for gene in GENES] == [
        [False] * 4,
        [False, False, False, True],
        [True, False, False, False],
    ]
    assert genes[GENES[0]]["signal"][0].tolist() == [1, np.float32(0.72), 2]
    recorded = metadata(tmp_path / "data" / "remc" / "K562")
    assert recorded["chromosome_sizes"] == {"chr1": 5150}
    assert recorded["genome"] == "unknown"
    with (own / "genes.tsv").open("a") as table:
        for number in range(10):
            table.write(f"ENSG0000000100{number}\t1\t{2000 + number}\t+\n")
    assert build_by_headers("--edges", "drop", "--name", "dropped", **sizes) == 0
    assert "2 left out: regions over an end of their chromosome" in capsys.readouterr().out
    assert len(read_examples(tmp_path / "data" / "remc" / "dropped")) == 11


@pytest.mark.parametrize(
    ("sizes", "args", "match"),
    [
        (
            {"mark": {"chr1": 249_250_621}, "other": {"1": 248_956_422}},
            [],
            "Expected one size of chr1 in the headers of all files. Received: 249250621 bp in "
            "mark.bam and 248956422 bp in other.bw. Give files of one genome.",
        ),
        (
            {"mark": {"chr1": 9000}, "other": {"chr1": 9000}, "control": {"chr1": 8000}},
            [],
            "Received: 9000 bp in {own}/mark.bam and 8000 bp in {own}/folder/mark.bam. Give files",
        ),
        (
            {"mark": {"chr1": 9000, "chr2": 5}, "other": {"chr1": 9000, "chr2": 7}},
            ["--genome", "hg38"],
            "Expected the chromosome sizes of hg38 in mark.bam, chr1=248956422. Received: chr1=90",
        ),
        (
            {"mark": {"1": 4999}, "other": {"chr1": 4999}},
            [],
            "Expected every TSS on its chromosome; chr1 has 4999 bp in mark.bam. Received: tss=",
        ),
        (
            {"mark": {"chr7": 4999}, "other": {"chr1": 9000}},
            [],
            "Expected chromosomes of the gene regions in mark.bam, chr1. Received: chr7.",
        ),
    ],
)
def test_headers_that_contradict(
    own: Path,
    build_by_headers: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    sizes: dict[str, dict[str, int]],
    args: list[str],
    match: str,
) -> None:
    assert build_by_headers(*args, **sizes) == 2
    assert match.format(own=own) in capsys.readouterr().err


def test_headers_of_two_epigenomes_that_contradict(
    build_by_headers: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"mark": {"chr1": 249_250_621}, "other": {"1": 248_956_422}}
    assert build_by_headers("--epigenome", "K562", of_other="HeLa", **sizes) == 2
    assert "249250621 bp in mark.bam and 248956422 bp in other.bw" in capsys.readouterr().err


def test_files_whose_names_do_not_tell_what_they_hold(
    own: Path, tmp_path: Path, build_own: Callable[..., int], read_examples: ReadExamples
) -> None:
    assert build_own("--epigenome", "K562", "--subtract-control", "--marks", "H3K4me3") == 0
    (own / "sheet.csv").write_text(
        "epigenome,mark,path,control,file_type\nK562,H3K4me3,reads.bed,input.bed,tagAlign\n"
    )
    (own / "H3K4me3 rep 1.tagAlign").rename(own / "reads.bed")
    (own / "input.tagAlign").rename(own / "input.bed")
    assert build_own("--epigenome", "K562", "--subtract-control", "--name", "told") == 0
    by_name, told = (read_examples(tmp_path / "data" / "remc" / n) for n in ("K562", "told"))
    for gene in GENES:
        np.testing.assert_array_equal(by_name[gene]["signal"], told[gene]["signal"])
    assert by_name[GENES[0]]["signal"].any()


def test_an_option_that_is_newer_than_a_dataset(
    tmp_path: Path, build_own: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_own("--epigenome", "K562") == 0
    path = tmp_path / "data" / "remc" / "K562" / "1.0.0" / "metadata.json"
    old = json.loads(path.read_text())
    del old["options"]["fragments"]
    path.write_text(json.dumps(old))
    assert build_own("--epigenome", "K562") == 0
    capsys.readouterr()
    assert build_own("--epigenome", "K562", "--fragments") == 2
    assert "Received: other fragments." in capsys.readouterr().err


def test_a_region_for_each_tss(
    tmp_path: Path, own: Path, build_own: Callable[..., int], read_examples: ReadExamples
) -> None:
    line = 'chr1\tx\t{}\t{}\t{}\t.\t{}\t.\tgene_id "{}"; gene_type "{}"; {}\n'
    rows = []
    for gene, tss in zip(GENES, (1000, 5000, 8000), strict=True):
        rows.append(line.format("gene", tss, tss + 900, "+", gene, "protein_coding", ""))
        for number in range(2):
            transcript = f'transcript_id "ENST{tss:011d}{number}";'
            span = (tss + 300 * number, tss + 900)
            rows.append(line.format("transcript", *span, "+", gene, "protein_coding", transcript))
    rows.append(line.format("gene", 20_000, 20_900, "+", "ENSG00000000460", "lincRNA", ""))
    (own / "genes.gtf").write_text("".join(rows))
    args = ("--epigenome", "K562", "--marks", "CTCF", "--name")
    assert build_own(*args, "transcripts", "--tss", "transcript", genes="genes.gtf") == 0
    builder = tfds.builder_from_directory(tmp_path / "data" / "remc" / "transcripts" / "1.0.0")
    (first, second) = tfds.as_numpy(builder.as_dataset(split="train"))
    assert first["gene_id"] == second["gene_id"] == GENES[0].encode()
    assert {(example["transcript_id"], example["tss"]) for example in (first, second)} == {
        (b"ENST000000010000", 1000),
        (b"ENST000000010001", 1300),
    }
    assert build_own(*args, "all", "--biotype", "all", genes="genes.gtf") == 0
    assert len(read_examples(tmp_path / "data" / "remc" / "all")) == 4
    assert build_own(*args, "coding", genes="genes.gtf") == 0
    assert len(read_examples(tmp_path / "data" / "remc" / "coding")) == 3


def test_what_is_built_is_not_passed_off_for_other_options(
    tmp_path: Path,
    own: Path,
    build_own: Callable[..., int],
    read_examples: ReadExamples,
    capsys: pytest.CaptureFixture[str],
) -> None:
    k562 = ("--epigenome", "K562")
    assert build_own(*k562) == 0
    assert build_own(*k562) == 0
    capsys.readouterr()
    assert build_own(*k562, "--normalize", "none", "--seed", "4", "--marks", "CTCF") == 2
    assert capsys.readouterr().err == (
        "error: Expected the options and files that remc/K562/1.0.0 was built with in "
        f"{tmp_path}/data/remc/K562/1.0.0. Received: other marks, seed. Give another name, or "
        "--overwrite to build it again.\n"
    )
    table = own / "expression.csv"
    table.write_text(table.read_text().replace("K562,HeLa", "HeLa,K562"))
    assert build_own(*k562) == 2
    assert "Received: other expression." in capsys.readouterr().err
    assert build_own(*k562, "--overwrite") == 0
    assert read_examples(tmp_path / "data" / "remc" / "K562")[GENES[0]]["rpkm"] == 9
    assert build_own(*k562, "--marks", "CTCF", "--name", "K562_CTCF") == 0
    # As it was recorded when there was one rule for labels.
    recorded_in = tmp_path / "data" / "remc" / "K562" / "1.0.0" / "metadata.json"
    recorded = json.loads(recorded_in.read_text())
    del recorded["options"]["median_over"]
    recorded_in.write_text(json.dumps(recorded))
    capsys.readouterr()
    assert build_own(*k562) == 2
    assert "Received: other median_over." in capsys.readouterr().err
    assert build_own(*k562, "--median-over", "table") == 0


@pytest.mark.parametrize(
    ("args", "files", "match"),
    [
        (["--name", "mine"], {}, "an epigenome beside name='mine', since the sheet has K562, HeLa"),
        (["--marks", "H3K9ac"], {}, "mark to be one of H3K4me3, CTCF. Received: mark='H3K9ac'"),
        (["--subtract-control"], {}, "Received: none for CTCF of K562"),
        (["--normalize", "cpm"], {}, "Received: CTCF.bedGraph, a bedGraph file"),
        (
            ["--tss", "transcript"],
            {},
            "each of the columns gene_id, chrom, tss, strand, transcript_id",
        ),
        (
            [],
            {
                "genes.tsv": "gene_id\tchrom\ttss\tstrand\n"
                f"{GENES[0]}.1\tchr1\t900\t+\n{GENES[0]}.2\tchr1\t950\t+\n"
            },
            f"Expected one TSS of {GENES[0]} in genes.tsv. Received: chr1:900(+) in line 2 and",
        ),
        (
            [],
            {"expression.csv": "gene_id,K562\nTNMD,1\nDPM1,2\n"},
            "Expected genes of the expression table, such as TNMD. Received: 3 other genes",
        ),
        ([], {"expression.csv": f"gene_id,k562\n{GENES[0]},1\n"}, "Expected one column K562 in"),
        (
            [],
            {"genes.tsv": "gene_id\tchrom\ttss\tstrand\nENSG00000000005\tchr1\t249300000\t+\n"},
            "Expected every TSS on its chromosome; chr1 has 249250621 bp",
        ),
        (
            [],
            {"H3K4me3 rep 1.tagAlign": ""},
            "a tagAlign file. Received: H3K4me3 rep 1.tagAlign, which is empty",
        ),
        (
            [],
            {"CTCF.bedGraph": "chr1\t1\t2\t3\nchr1\t900\t950\t-0.7\n"},
            "a number of at least 0 as value in CTCF.bedGraph, line 2. Received: value='-0.7'. "
            "Signal is never negative: give the fold change or -log10 of p",
        ),
        (
            [],
            {"CTCF.bedGraph": "chr1\t900\t950\t1\nchr1\t940\t960\t2\n"},
            "Received: chr1:900-950 in line 1 and chr1:940-960 in line 2, which overlap.",
        ),
        (
            ["--fragments"],
            {},
            "Expected a BAM file where fragments are counted. Received: file_type='tagAlign'",
        ),
        ([], {"CTCF.bedGraph": "chr7\t1\t2\t3\n"}, "chromosomes of the gene regions in CTCF.bedGr"),
    ],
)
def test_own_data_at_fault(
    own: Path,
    tmp_path: Path,
    build_own: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    files: dict[str, str],
    match: str,
) -> None:
    for name, text in files.items():
        (own / name).write_text(text)
    assert build_own(*args) == 2
    (error,) = (line for line in capsys.readouterr().err.split("\n") if "Expected " in line)
    assert match in error
    # Nothing half-written stays.
    assert not [path for path in (tmp_path / "data" / "remc" / "K562").rglob("*") if path.is_file()]
