"""Random forests, on all bins and on the best bin of each mark."""

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.baselines.features import AllBins, BestBin, signal_pipeline


def random_forest(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """A random forest on all bins: the forest of Table 1 without its choice of bins."""
    return Baseline(signal_pipeline(AllBins(spec), _forest(seed), spec.transform), spec)


def random_forest_best_bin(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """A random forest on the best bin of each mark: "Random Forest" of the paper's Table 1.

    Dong et al. (Genome Biology 2012) take for each mark the one bin that correlates most with
    expression; a forest first says whether a gene is expressed, then a regression how much. Here
    the bin correlates most with the label of the training genes, and the first step is the answer.
    """
    return Baseline(
        signal_pipeline(BestBin(spec), _forest(seed), spec.transform),
        spec,
        describe=_describe_bins,
    )


def _forest(seed: int) -> RandomForestClassifier:
    # Leaves of single genes, the default, make a larger forest that ranks unseen genes worse.
    return RandomForestClassifier(n_estimators=500, min_samples_leaf=5, random_state=seed)


def _describe_bins(pipeline: Pipeline) -> str:
    features = pipeline["features"]
    pairs = zip(features.get_feature_names_out(), features.correlations_, strict=True)
    return "\n".join(
        ["The bin of each mark that correlates most with high expression:"]
        + [f"{name}: {correlation:+.3f}" for name, correlation in pairs]
    )
