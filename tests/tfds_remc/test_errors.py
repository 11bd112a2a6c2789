import pytest

from tfds_remc.remc.errors import InputError, require_known, some


def test_an_unknown_name_lists_the_known_ones() -> None:
    require_known("genome", "", ["", "hg19", "hg38"])
    with pytest.raises(
        InputError, match=r"genome to be one of hg19, hg38\. Received: genome='hg20'\.$"
    ):
        require_known("genome", "hg20", ["", "hg19", "hg38"])


def test_of_many_names_the_first_are_shown() -> None:
    names = [f"chr{number}" for number in range(1, 8)]
    assert some(names) == "chr1, chr2, chr3, chr4, chr5 and 2 more"
    assert some(names, 7) == ", ".join(names)
    assert some([]) == "none"
