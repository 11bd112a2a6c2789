"""Rules that can be read. Needs the extra `rules`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from imodels import FIGSClassifier
from sklearn.pipeline import Pipeline

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.baselines.features import MaxOfMark, signal_pipeline


def rules(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """Rules on the greatest signal of each mark: "Rule-based Learning" of the paper's Table 1.

    As Ho et al. (2015) this asks which marks together go with high or low expression of a gene,
    not where they are. The learner is FIGS (Tan et al., Fast Interpretable Greedy-Tree Sums): a
    dozen thresholds in all, grown greedily as a few small trees, each path through which is a rule.
    What the rules that hold for a gene give adds up to its probability of high expression.

    The thresholds are of the signal as measured, whatever the transform: rules know only order.
    """
    # A threshold has to save the squared error of one gene at least: less is no rule but noise.
    learner = _RuleSum(max_rules=12, min_impurity_decrease=1.0, random_state=seed)
    return Baseline(
        signal_pipeline(MaxOfMark(spec.marks), learner, transform="none"),
        spec,
        describe=_describe_rules,
    )


class _RuleSum(FIGSClassifier):
    """FIGS whose probability is the sum that its rules state, not a sigmoid of it."""

    def fit(self, features: np.ndarray, label: np.ndarray) -> "_RuleSum":
        # imodels 3.0.4 does not hand its random_state on: ties between thresholds are broken by
        # NumPy's global state.
        state = np.random.get_state()
        np.random.seed(self.random_state)
        try:
            super().fit(features, label)
        finally:
            np.random.set_state(state)
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        probability: np.ndarray = super().predict_proba(features, use_clipped_prediction=True)
        return probability


def _describe_rules(pipeline: Pipeline) -> str:
    names = pipeline["features"].get_feature_names_out()
    lines = [
        "Of each block one rule holds for a gene; what they give adds up to its probability of "
        "high expression."
    ]
    for tree in pipeline["classifier"].trees_:
        lines.append("")
        for gives_high, conditions in sorted(_paths(tree, {}), key=lambda path: -path[0]):
            text = " and ".join(
                f"{names[feature]} {sign} {threshold:.4g}"
                for (feature, sign), threshold in conditions.items()
            )
            lines.append(f"{text or 'any gene'} -> high {gives_high:+.2f}")
    return "\n".join(lines)


def _paths(
    node: Any, conditions: dict[tuple[int, str], float]
) -> Iterator[tuple[float, dict[tuple[int, str], float]]]:
    """What each leaf below a node gives to high expression, and the conditions on the way."""
    if node.left is None:
        yield float(node.value[1]), conditions
        return
    # A second threshold in the same direction is the narrower one, and takes the first's place.
    yield from _paths(node.left, {**conditions, (node.feature, "<="): node.threshold})
    yield from _paths(node.right, {**conditions, (node.feature, ">"): node.threshold})
