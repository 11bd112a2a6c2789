import numpy as np

from tfds_remc.remc.mark_quality import MarkQuality, direct, measure_mark


def measured(signal: np.ndarray) -> MarkQuality:
    strand = np.tile(["+", "-"], len(signal) // 2)
    directed = direct(signal, np.full(len(signal), False))
    return measure_mark("H3K4me3", signal, directed, strand, flank_bp=5000, bin_bp=100)


def test_peak_far_from_the_tss_is_as_sure_as_the_genes_agree() -> None:
    rng = np.random.default_rng(0)
    signal = rng.poisson(1.0, (50, 100)).astype(np.float32)
    signal[:, 80:85] += rng.poisson(4.0, (50, 5))
    agreed = measured(signal)
    assert agreed.peak_bp == 3250
    assert agreed.peak_t > 10
    signal[1:, 80:85] = 1
    assert measured(signal).peak_t < 4


def test_signal_is_mirrored_and_its_artefacts_are_capped() -> None:
    signal = np.array([[1, 2, 3, 0], [1, 2, 3, 4]], np.float32)
    is_mirrored = np.array([False, True])
    assert direct(signal, is_mirrored).tolist() == [[1, 2, 3, 0], [4, 3, 2, 1]]
    assert not direct(np.zeros_like(signal), is_mirrored).any()
    one = np.ones((10, 1000), np.float32)
    one[0, :2] = 9, 50_000
    assert direct(one, np.full(10, False)).max() == 1
