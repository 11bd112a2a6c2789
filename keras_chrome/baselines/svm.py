"""A support vector machine."""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.baselines.features import AllBins, signal_pipeline

_NUM_FOLDS = 5


def svm(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """A support vector machine with a Gaussian kernel: "Support Vector Machine" of Table 1.

    Cheng et al. (Genome Biology 2011) fit one machine a bin, to see where in the region a mark
    tells; here one machine sees all bins. Platt scaling, a sigmoid fitted to cross-validated
    scores, turns its score into a probability.
    """
    machine = CalibratedClassifierCV(
        SVC(random_state=seed), method="sigmoid", cv=_NUM_FOLDS, ensemble=False
    )
    return Baseline(
        signal_pipeline(AllBins(spec), make_pipeline(StandardScaler(), machine), spec.transform),
        spec,
        min_class_genes=_NUM_FOLDS,
    )
