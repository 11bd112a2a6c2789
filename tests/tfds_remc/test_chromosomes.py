from pathlib import Path

import pytest

from tfds_remc.remc.chromosomes import (
    GENOMES,
    ChromosomeError,
    agreed_sizes,
    canonical_name,
    canonical_names,
    check_genome,
)


def test_both_styles_have_one_canonical_name() -> None:
    ensembl = ["1", "22", "X", "Y", "MT", "2L", "XIV", "GL000191.1"]
    ucsc = ["chr1", "chr22", "chrX", "chrY", "chrM", "chr2L", "chrXIV", "GL000191.1"]
    assert list(canonical_names(ensembl, "a.bam").values()) == ucsc
    assert list(canonical_names(ucsc, "a.bam").values()) == ucsc


@pytest.mark.parametrize("name", ["M", "MT", "Mt", "chrM", "chrMT", "chrMt"])
def test_the_mitochondrion_has_one_canonical_name(name: str) -> None:
    assert canonical_name(name) == "chrM"
    for other in ("1", "chr1"):
        canonical = canonical_names([other, name], "a.bam", {"chr1", "chrM"})
        assert canonical == {other: "chr1", name: "chrM"}


@pytest.mark.parametrize("names", [["chr1", "1"], ["1", "chr2"], ["chrX", "GL000191.1", "2L"]])
def test_both_styles_where_genes_lie_are_refused(names: list[str]) -> None:
    with pytest.raises(ChromosomeError, match=r"one style of chromosome names in a\.bam, where g"):
        canonical_names(names, "a.bam")
    wanted = {canonical_name(name) for name in names}
    with pytest.raises(ChromosomeError, match="take out those of another genome"):
        canonical_names(names, "a.bam", wanted)
    # A header with one size of both: they are one chromosome.
    with pytest.raises(ChromosomeError):
        canonical_names(names, "a.bam", wanted, dict.fromkeys(names, 1000))


@pytest.mark.parametrize("twice", [["chrM", "chrMT"], ["MT", "M"]])
def test_two_names_of_the_mitochondrion(twice: list[str]) -> None:
    for other in ("1", "chr1"):
        with pytest.raises(ChromosomeError, match=rf"Received: '{twice[0]}' and '{twice[1]}'"):
            canonical_names([other, *twice], "a.bam", {"chr1", "chrM"})
        assert canonical_names([other, *twice], "a.bam", {"chr1"})[other] == "chr1"
    # That of the style of the others is theirs.
    names = ["chr1", "chrM", "MT"]
    assert canonical_names(names, "a.bam", {"chr1", "chrM"}) == {
        "chr1": "chr1",
        "chrM": "chrM",
        "MT": "",
    }


def test_names_of_the_other_style_are_of_another_genome() -> None:
    spike_in = ["2L", "2R", "4", "X", "mitochondrion_genome", "NC_000001.11", "I"]
    for human in (["chr1", "chr2"], ["chr1", "chrM", "chrEBV"]):
        canonical = canonical_names([*human, *spike_in], "a.bam", {"chr1", "chr2", "chrM"})
        assert {name: canonical[name] for name in human} == {name: name for name in human}
        unknown = ("mitochondrion_genome", "NC_000001.11")
        assert {name: canonical[name] for name in spike_in} == {
            name: name if name in unknown else "" for name in spike_in
        }
    # The other way round, "chr2L" is not "2L".
    canonical = canonical_names(["1", "2", "chr4", "chr2L"], "a.bam", {"chr1", "chr2"})
    assert canonical == {"1": "chr1", "2": "chr2", "chr4": "", "chr2L": ""}


def test_headers_tell_two_genomes_apart() -> None:
    """Human chromosomes in UCSC's style beside the fly's in Ensembl's."""
    human = {name: GENOMES["hg38"][name] for name in ("chr1", "chr4", "chrX")}
    fly = {"2L": 23_513_712, "4": 1_348_131, "X": 23_542_271}
    canonical = canonical_names([*fly, *human], "a.bam", set(human), {**human, **fly})
    assert canonical == {name: name for name in human} | dict.fromkeys(fly, "")
    alike = {**human, **fly, "X": human["chrX"]}
    with pytest.raises(ChromosomeError, match="Received: '4' and 'chr4'"):
        canonical_names([*fly, *human], "a.bam", set(human), alike)
    wanted = {"chr4", "chrX"}  # As many of each.
    with pytest.raises(ChromosomeError, match="Received: '4' and 'chr4'"):
        canonical_names([*fly, *human], "a.bam", wanted, {**human, **fly})
    with pytest.raises(ChromosomeError, match="Received: '4' and 'chr4'"):
        canonical_names([*fly, *human], "a.bam", set(human))  # Without sizes.


A, B = Path("a.bam"), Path("b.bigWig")


def test_headers_agree_in_two_styles() -> None:
    headers = [(A, {"chr1": 500, "chrM": 16, "2L": 7}), (B, {"1": 500, "2": 40, "MT": 15})]
    sizes = agreed_sizes([*headers, (Path("c.tagAlign"), {})], {"chr1", "chr2", "chrM"})
    assert sizes == {"chr1": (500, "a.bam"), "chrM": (15, "b.bigWig"), "chr2": (40, "b.bigWig")}


def test_headers_and_a_genome() -> None:
    hg19 = GENOMES["hg19"]
    header = {"1": hg19["chr1"], "GL000191.1": 106_433, "MT": 16_569, "2L": 5}
    sizes = agreed_sizes([(A, header)], {"chr1", "chrM", "GL000191.1"}, "hg19")
    assert sizes["chr1"] == (249_250_621, "hg19")
    assert sizes["GL000191.1"] == (106_433, "a.bam")
    assert len(sizes) == 24 + 2
    with pytest.raises(ChromosomeError, match=r"of hg38 in a\.bam, chr1=248956422\. .*as in hg19"):
        agreed_sizes([(A, header)], {"chr1"}, "hg38")


@pytest.mark.parametrize("second", [B, Path("folder/a.bam")])
def test_headers_that_contradict_each_other(second: Path) -> None:
    headers = [(A, {"chr1": 249_250_621, "chrM": 1}), (second, {"1": 248_956_422, "MT": 2})]
    with pytest.raises(
        ChromosomeError,
        match=rf"one size of chr1 .*249250621 bp in a\.bam and 248956422 bp in {second}\. Give",
    ):
        agreed_sizes(headers, {"chr1", "chrM"})
    assert agreed_sizes(headers, {"chr2"}) == {}


@pytest.mark.parametrize(("genome", "num_chroms"), [("hg19", 24), ("hg38", 24), ("mm10", 21)])
def test_a_genome_has_its_autosomes_x_and_y(genome: str, num_chroms: int) -> None:
    sizes = GENOMES[genome]
    assert len(sizes) == num_chroms
    assert list(sizes)[-3:] == [f"chr{num_chroms - 2}", "chrX", "chrY"]
    check_genome(sizes | {"chrM": 1, "chrUn_1": 5}, genome, "a.bam")
    check_genome({"chrX": sizes["chrX"]}, genome, "a.bam")


def test_another_genome_is_named() -> None:
    with pytest.raises(
        ChromosomeError, match=r"chr1=249250621. Received: chr1=248956422, as in hg"
    ):
        check_genome(GENOMES["hg38"], "hg19", "a.bam")
    with pytest.raises(ChromosomeError, match="as in mm10"):
        check_genome(GENOMES["mm10"], "hg38", "a.bam")
    with pytest.raises(ChromosomeError, match="chr2=5, of no genome known here"):
        check_genome(GENOMES["hg19"] | {"chr2": 5}, "hg19", "a.bam")
