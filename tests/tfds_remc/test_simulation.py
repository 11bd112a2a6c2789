"""Properties that the simulated epigenome promises, on a few seeds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tfds_remc.remc import simulation
from tfds_remc.remc.simulation import MARKS, SimulatedEpigenome, simulate


@pytest.fixture(scope="module")
def epigenome() -> SimulatedEpigenome:
    return simulate(num_genes=3000, seed=0)


def _along_transcription(epigenome: SimulatedEpigenome, values: np.ndarray) -> np.ndarray:
    """Turns the bins of '-' genes round, so that every gene is transcribed to the right."""
    return np.where((epigenome.strand == "-")[:, None, None], values[:, ::-1], values)


def _mean_profile(epigenome: SimulatedEpigenome, state: str, mark: str) -> np.ndarray:
    signal = _along_transcription(epigenome, epigenome.signal)
    return signal[epigenome.state == state, :, MARKS.index(mark)].mean(axis=0)


def _fields(epigenome: SimulatedEpigenome) -> dict[str, np.ndarray]:
    return {name: value for name, value in vars(epigenome).items() if name != "marks"}


def test_fields_have_the_promised_types_and_values(epigenome):
    assert epigenome.marks == ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3", "H3K27ac")
    assert epigenome.signal.shape == epigenome.planted.shape == (3000, 100, 6)
    assert {name: value.dtype.name for name, value in _fields(epigenome).items()} == {
        "signal": "float32",
        "planted": "bool",
        "state": "str480",
        "gene_id": "str448",
        "symbol": "str448",
        "chrom": "str256",
        "tss": "int64",
        "strand": "str32",
        "rpkm": "float32",
        "split": "str160",
    }
    assert (epigenome.signal >= 0).all()
    assert (epigenome.signal == np.round(epigenome.signal)).all()
    assert len(set(epigenome.gene_id)) == len(set(epigenome.symbol)) == 3000
    assert epigenome.gene_id[0] == "SIM00000000001"
    assert set(epigenome.state) == set(simulation.STATES)
    assert set(epigenome.strand) == {"+", "-"}
    assert np.isfinite(epigenome.rpkm).all()
    assert 0.05 < (epigenome.rpkm == 0).mean() < 0.2


def test_regions_of_a_chromosome_do_not_overlap(epigenome):
    for chrom in set(epigenome.chrom):
        tss = epigenome.tss[epigenome.chrom == chrom]
        assert tss[0] >= 5_000
        assert np.diff(tss).min() >= 10_000


@pytest.mark.parametrize(("num_genes", "sizes"), [(3000, (1000, 1000, 1000)), (3, (1, 1, 1))])
def test_splits_are_equal_thirds(num_genes, sizes):
    split = simulate(num_genes).split
    assert tuple((split == name).sum() for name in ("train", "valid", "test")) == sizes


def test_same_seed_gives_the_same_bytes_and_another_seed_others(epigenome):
    again, other = simulate(num_genes=3000, seed=0), simulate(num_genes=3000, seed=1)
    for name, value in _fields(epigenome).items():
        assert value.tobytes() == getattr(again, name).tobytes(), name
    for name in ("signal", "planted", "state", "tss", "strand", "rpkm"):
        assert getattr(epigenome, name).tobytes() != getattr(other, name).tobytes(), name


def test_more_genes_leave_the_first_ones_as_they_were(epigenome):
    for name, value in _fields(simulate(num_genes=50, seed=0)).items():
        np.testing.assert_array_equal(value, getattr(epigenome, name)[:50], err_msg=name)


def test_counts_have_the_negative_binomial_variance():
    rng = np.random.default_rng(0)
    mean, dispersion = np.array([0.5, 4.0, 30.0]), np.array([1.0, 2.0, 5.0])
    counts = simulation.negative_binomial_counts(np.tile(mean, (200_000, 1)), dispersion, rng)
    np.testing.assert_allclose(counts.mean(axis=0), mean, rtol=0.02)
    np.testing.assert_allclose(counts.var(axis=0), mean + mean**2 / dispersion, rtol=0.03)


def test_counts_of_a_quiescent_gene_are_overdispersed(epigenome):
    at_tss = epigenome.signal[epigenome.state == "quiescent", 45:55]
    assert (at_tss.var(axis=(0, 1)) > 1.2 * at_tss.mean(axis=(0, 1))).all()


def test_counts_follow_the_width_of_a_bin():
    narrow, wide = simulate(600, seed=3), simulate(600, seed=3, num_bins=50, bin_bp=200)
    assert wide.signal.shape == (600, 50, 6)
    np.testing.assert_allclose(wide.signal.mean() / narrow.signal.mean(), 2, rtol=0.05)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_h3k36me3_lies_downstream_and_rises_on_either_strand(epigenome, strand):
    is_chosen = (epigenome.state == "active") & (epigenome.strand == strand)
    signal = epigenome.signal[is_chosen, :, MARKS.index("H3K36me3")].mean(axis=0)
    left, right = signal[:50], signal[50:]
    downstream, upstream = (right, left[::-1]) if strand == "+" else (left[::-1], right)
    assert downstream.mean() > 1.8 * upstream.mean()
    assert downstream[40:].mean() > 1.5 * downstream[:15].mean()


def test_h3k36me3_stops_at_the_end_of_short_genes(epigenome):
    planted = _along_transcription(epigenome, epigenome.planted)
    body = planted[epigenome.state == "active", :, MARKS.index("H3K36me3")]
    ends_inside = body.any(axis=1) & ~body[:, -1]
    assert 0.03 < ends_inside.mean() < 0.3
    assert not body[:, :50].any()


@pytest.mark.parametrize("mark", ["H3K4me3", "H3K27ac"])
def test_active_promoters_dip_at_the_tss_and_reach_further_downstream(epigenome, mark):
    profile = _mean_profile(epigenome, "active", mark)
    upstream_peak, dip, downstream_peak = profile[44:49].max(), profile[49], profile[51:56].max()
    assert dip < 0.6 * min(upstream_peak, downstream_peak)
    assert profile[55:65].mean() > 1.5 * profile[35:45].mean()
    assert profile[:15].mean() < 0.25 * downstream_peak


def test_h3k4me1_flanks_the_promoter(epigenome):
    profile = _mean_profile(epigenome, "active", "H3K4me1")
    assert profile[49:51].mean() < 0.5 * min(profile[32:42].mean(), profile[62:75].mean())
    assert profile[:5].mean() < 0.6 * profile[32:42].mean()


@pytest.mark.parametrize(
    ("state", "mark"), [("polycomb", "H3K27me3"), ("heterochromatin", "H3K9me3")]
)
def test_silent_marks_are_broad_and_their_own_state_s_alone(epigenome, state, mark):
    profile = _mean_profile(epigenome, state, mark)
    assert profile.min() > 0.5 * profile.max()
    assert profile.mean() > 2.5 * _mean_profile(epigenome, "active", mark).mean()


def test_poised_genes_carry_both_marks_and_little_expression(epigenome):
    poised = epigenome.planted[epigenome.state == "poised"].any(axis=1)
    both = poised[:, MARKS.index("H3K4me3")] & poised[:, MARKS.index("H3K27me3")]
    assert both.mean() > 0.8
    median = {s: np.median(epigenome.rpkm[epigenome.state == s]) for s in simulation.STATES}
    assert median["polycomb"] < median["poised"] < 0.1 * median["active"]


def test_h3k27ac_follows_h3k4me3_without_copying_it(epigenome):
    promoter = np.log1p(epigenome.signal[epigenome.state == "active", 40:60].sum(axis=1))
    correlation = np.corrcoef(promoter, rowvar=False)
    assert 0.3 < correlation[MARKS.index("H3K4me3"), MARKS.index("H3K27ac")] < 0.9


@pytest.mark.parametrize(
    ("state", "marks"),
    [
        ("active", {"H3K36me3", "H3K4me1", "H3K4me3", "H3K27ac"}),
        ("poised", {"H3K27me3", "H3K4me1", "H3K4me3"}),
        ("polycomb", {"H3K27me3"}),
        ("heterochromatin", {"H3K9me3"}),
        ("quiescent", set()),
    ],
)
def test_a_state_plants_its_own_marks_only(epigenome, state, marks):
    planted = epigenome.planted[epigenome.state == state].any(axis=(0, 1))
    assert {mark for mark, is_planted in zip(MARKS, planted, strict=True) if is_planted} == marks


def test_planted_bins_carry_more_signal(epigenome):
    for index, mark in enumerate(MARKS):
        signal, planted = epigenome.signal[..., index], epigenome.planted[..., index]
        assert signal[planted].mean() > 2 * signal[~planted].mean(), mark


def test_a_neighbour_s_signal_is_not_planted(epigenome):
    h3k4me3 = MARKS.index("H3K4me3")
    is_quiescent = epigenome.state == "quiescent"
    signal = epigenome.signal[is_quiescent, :, h3k4me3]
    is_strayed_in = (signal >= 15).sum(axis=1) >= 3
    assert 0.05 < is_strayed_in.mean() < 0.6
    assert not epigenome.planted[is_quiescent].any()


def test_the_label_is_balanced_learnable_and_not_trivial(epigenome):
    label = epigenome.rpkm > np.median(epigenome.rpkm)
    for name in ("train", "valid", "test"):
        assert 0.45 < label[epigenome.split == name].mean() < 0.55
    features = np.log1p(epigenome.signal[..., :5].max(axis=1))
    is_train, is_test = epigenome.split == "train", epigenome.split == "test"
    classifier = LogisticRegression().fit(features[is_train], label[is_train])
    probability = classifier.predict_proba(features[is_test])[:, 1]
    assert 0.80 < roc_auc_score(label[is_test], probability) < 0.88


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_genes": 2}, "whole number of 3 or more. Received: num_genes=2"),
        ({"num_genes": 10.0}, "Received: num_genes=10.0"),
        ({"num_genes": True}, "Received: num_genes=True"),
        ({"seed": -1}, "whole number of 0 or more. Received: seed=-1"),
        ({"num_bins": 0}, "whole number of 2 or more. Received: num_bins=0"),
        ({"num_bins": 99}, "even number of bins.* Received: num_bins=99"),
        ({"bin_bp": 0}, "whole number of 1 or more. Received: bin_bp=0"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate(**arguments)
