import pytest

from tfds_remc.remc.errors import InputError
from tfds_remc.remc.genome_names import known_genome


@pytest.mark.parametrize(
    ("genome", "names"),
    [
        ("hg19", "hg19 HG19 GRCh37 grch37.p13 b37 hs37d5 hs37 human_g1k_v37"),
        ("hg38", "hg38 GRCh38 GRCh38.p14 hs38 hs38DH"),
        ("mm10", "mm10 GRCm38 GRCm38.p6"),
    ],
)
def test_other_names_of_genomes(genome: str, names: str) -> None:
    assert {known_genome(name) for name in names.split()} == {genome}


def test_an_unknown_genome() -> None:
    assert known_genome("") == ""
    for name in ("hg18", "GRCm39", "mm9", "GRCh37x", "37", "GRCh36"):
        with pytest.raises(
            InputError, match=rf"one of hg19, hg38, mm10\. Received: genome='{name}'"
        ):
            known_genome(name)
