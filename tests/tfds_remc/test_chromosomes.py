import pytest

from tfds_remc.remc.chromosomes import GENOMES, ChromosomeError, canonical_names, check_genome


def test_both_styles_have_one_canonical_name() -> None:
    ensembl = ["1", "22", "X", "Y", "MT", "2L", "XIV", "GL000191.1"]
    ucsc = ["chr1", "chr22", "chrX", "chrY", "chrM", "chr2L", "chrXIV", "GL000191.1"]
    assert list(canonical_names(ensembl, "a.bam").values()) == ucsc
    assert list(canonical_names(ucsc, "a.bam").values()) == ucsc


@pytest.mark.parametrize("names", [["chr1", "1"], ["1", "chr2"], ["chrX", "GL000191.1", "MT"]])
def test_both_styles_in_one_file_are_refused(names: list[str]) -> None:
    with pytest.raises(ChromosomeError, match=r"one style of chromosome names in a\.bam"):
        canonical_names(names, "a.bam")


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
