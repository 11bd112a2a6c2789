"""A baseline as an ONNX graph: what skl2onnx makes of its classifier, between operations of ours.

A tree asks of a number whether it is at most a threshold. scikit-learn's thresholds are float64 and
of log(1 + signal); here they become the same questions of the signal as measured, in float32. So
each gene takes the same way through each tree, however a runtime rounds its logarithms.

Reference: operators of ONNX, version 17, and of ai.onnx.ml, version 3.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from export.onnx_graph import IR_VERSION, METADATA_KEY, OPSET
from keras_chrome.baselines import Baseline
from keras_chrome.baselines.features import BestBin, MaxOfMark

ML_OPSET = 3
_TREES = (HistGradientBoostingClassifier, RandomForestClassifier)


def baseline_graph(baseline: Baseline, description: str) -> onnx.ModelProto:
    """Turn a fitted baseline into an ONNX graph.

    Args:
        baseline: One of `formats.ONNX_BASELINES`.
        description: The baseline's description, which becomes the metadata `keras_chrome`.

    Returns:
        A graph from `signal`, float32 `(n, bins, marks)`, to `probability`, float32 `(n,)`, with n
        free. What is between them is float64, as far as ONNX Runtime goes.

    Raises:
        ModuleNotFoundError: If skl2onnx is not installed.
    """
    # Late: networks do without.
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType

    classifier, takes_log = baseline.pipeline["classifier"], baseline.spec.transform == "log1p"
    if isinstance(classifier, _TREES):
        classifier = _trees_of_signal(classifier, np.log1p if takes_log else np.positive)
        takes_log = False
    is_boosted = isinstance(classifier, HistGradientBoostingClassifier)
    num_features = classifier.n_features_in_
    head = _part(_head(baseline, num_features, takes_log))
    with warnings.catch_warnings():
        # Of what scikit-learn and NumPy are about to drop, and it still uses.
        warnings.simplefilter("ignore")
        middle = convert_sklearn(
            classifier,
            initial_types=[("features", DoubleTensorType([None, num_features]))],
            options={"zipmap": False, **({"raw_scores": True} if is_boosted else {})},
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
    # It asks for the least that will do, and all parts have to ask for the same.
    middle.ir_version = head.ir_version
    del middle.opset_import[:]
    middle.opset_import.extend(head.opset_import)
    middle = onnx.compose.add_prefix(middle, "classifier.")
    tail = _part(_tail(baseline.temperature, is_boosted))
    graph = onnx.compose.merge_models(head, middle, [("features", "classifier.features")])
    graph = onnx.compose.merge_models(
        graph,
        tail,
        [("classifier.probabilities", "scores")],
        outputs=["probability"],
        producer_name="keras_chrome",
    )
    # skl2onnx takes float32 for float64 where trees answer; runtimes know the types themselves.
    del graph.graph.value_info[:]
    onnx.helper.set_model_props(graph, {METADATA_KEY: description})
    return graph


def _part(graph: str) -> onnx.ModelProto:
    """A graph in ONNX's own words."""
    opsets = f'"" : {OPSET}, "ai.onnx.ml" : {ML_OPSET}'
    return onnx.parser.parse_model(f"<ir_version: {IR_VERSION}, opset_import: [{opsets}]> {graph}")


def _head(baseline: Baseline, num_features: int, takes_log: bool) -> str:
    """From the signal to the features."""
    spec, features = baseline.spec, baseline.pipeline["features"]
    num_bins, num_marks = spec.num_bins, len(spec.marks)
    if isinstance(features, MaxOfMark):
        choose = "row = ReduceMax<axes = [1], keepdims = 0>(signal)"
    else:
        choose = "row = Flatten<axis = 1>(signal)"
    if isinstance(features, BestBin):
        places = features.bins_ * num_marks + np.arange(num_marks)
        choose = f"""
            all = Flatten<axis = 1>(signal)
            places = Constant<value_ints = {places.tolist()}>()
            row = Gather<axis = 1>(all, places)
        """
    transform = "features = Cast<to = 11>(row)"
    if takes_log:
        # Rounded to float32, as NumPy does.
        transform = """
            wide = Cast<to = 11>(row)
            one = Constant<value = double {1}>()
            more = Add(wide, one)
            log = Log(more)
            rounded = Cast<to = 1>(log)
            features = Cast<to = 11>(rounded)
        """
    return f"""
        head (float[n, {num_bins}, {num_marks}] signal) => (double[n, {num_features}] features)
        {{ {choose} {transform} }}
    """


def _tail(temperature: float, is_boosted: bool) -> str:
    """From what the classifier says of low and high to the probability of high."""
    # Boosted trees say the log-odds themselves. A forest's sum may be below 0 by a rounding.
    log_odds = "weights = Constant<value = double[2] {0, 1}>() log_odds = MatMul(given, weights)"
    if not is_boosted:
        log_odds = """
            possible = Relu(given)
            logs = Log(possible)
            weights = Constant<value = double[2] {-1, 1}>()
            log_odds = MatMul(logs, weights)
        """
    return f"""
        tail (float[n, 2] scores) => (float[n] probability)
        {{
            given = Cast<to = 11>(scores)
            {log_odds}
            temperature = Constant<value = double {{{temperature!r}}}>()
            cooled = Div(log_odds, temperature)
            answer = Sigmoid(cooled)
            probability = Cast<to = 1>(answer)
        }}
    """


# === Trees ===


def _trees_of_signal(classifier: Any, transform: Callable[[np.ndarray], np.ndarray]) -> Any:
    """The same trees, asking of the signal what they asked of what a transform makes of it."""
    classifier = copy.deepcopy(classifier)
    for thresholds in _thresholds(classifier):
        thresholds[:] = greatest_signal(transform, thresholds)
    return classifier


def _thresholds(classifier: Any) -> Iterator[np.ndarray]:
    """Yields the thresholds of each tree, to be written to."""
    if isinstance(classifier, RandomForestClassifier):
        for tree in classifier.estimators_:
            yield tree.tree_.threshold
    else:
        for (tree,) in classifier._predictors:
            yield tree.nodes["num_threshold"]


def greatest_signal(
    transform: Callable[[np.ndarray], np.ndarray], threshold: np.ndarray
) -> np.ndarray:
    """The greatest float32 of 0 or more whose transform is at most a threshold; -1 if none is.

    Args:
        transform: From float32 to float32; of two numbers the greater has no smaller transform.
        threshold: float64.

    Returns:
        float32, in the same shape.
    """
    # Read as integers, float32 of 0 or more are in the same order.
    at_most = np.full(threshold.shape, -1, np.int32)
    above = np.full(threshold.shape, np.float32(np.inf).view(np.int32))
    for _ in range(31):
        middle = at_most + (above - at_most) // 2
        fits = transform(middle.view(np.float32)) <= threshold
        at_most, above = np.where(fits, middle, at_most), np.where(fits, above, middle)
    return np.where(at_most < 0, np.float32(-1), at_most.view(np.float32))
