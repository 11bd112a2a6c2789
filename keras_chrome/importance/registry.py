"""The importance methods by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.vocabulary import WRT

if TYPE_CHECKING:
    from keras_chrome.importance.network import Model


class Method(NamedTuple):
    """What there is to know of an importance method before it runs.

    Attributes:
        function: module:function. A name rather than the function itself, so that `--help` can
            list the methods without importing TensorFlow.
        is_signed: Whether negative importance speaks for low expression. The others say how much a
            bin matters, not which way.
        units: Of its numbers; see `units_of` where it is a gradient.
        passes: How many passes forward through the model a gene takes, from the numbers of bins
            and marks; a gradient counts as `GRADIENT_PASSES`.
        outputs: The outputs of the model that it reads: `alpha`, `beta` or `contribution`.
        needs_gradient: Whether the model must be a network.
        needs_background: Whether it compares with other genes, its option `baselines`.
        resolves_bins: Whether the bins of a mark can differ.
        is_cheap: Whether it takes a few passes, whatever the number of bins.
        has_wrt: Whether it is a gradient with respect to the signal or what the network makes of
            it, its option `wrt`.
    """

    function: str
    is_signed: bool
    units: str
    passes: Callable[[int, int], int]
    outputs: tuple[str, ...] = ()
    needs_gradient: bool = True
    needs_background: bool = False
    resolves_bins: bool = True
    is_cheap: bool = False
    has_wrt: bool = False


_HERE = "keras_chrome.importance"
GRADIENT_PASSES = 3
"""What a gradient takes, in passes forward through the model."""

_TRANSFORMED = "_transformed"
_PER_SIGNAL, _PER_TRANSFORMED = "logit per unit of signal", "logit per unit of log(1 + signal)"
METHODS = {
    "alpha": Method(
        f"{_HERE}.alpha:alpha",
        is_signed=False,
        units="1",
        passes=lambda bins, marks: 1,
        outputs=("alpha",),
        is_cheap=True,
    ),
    "alpha_beta": Method(
        f"{_HERE}.alpha:alpha_beta",
        is_signed=False,
        units="1",
        passes=lambda bins, marks: 1,
        outputs=("alpha", "beta"),
        is_cheap=True,
    ),
    "contribution": Method(
        f"{_HERE}.contribution:contribution",
        is_signed=True,
        units="logit",
        passes=lambda bins, marks: 1,
        outputs=("contribution",),
        is_cheap=True,
    ),
    "saliency": Method(
        f"{_HERE}.saliency:saliency",
        is_signed=False,
        units=_PER_SIGNAL,
        passes=lambda bins, marks: GRADIENT_PASSES,
        is_cheap=True,
        has_wrt=True,
    ),
    "smooth_grad": Method(
        f"{_HERE}.smooth_grad:smooth_grad",
        is_signed=False,
        units=_PER_SIGNAL,
        passes=lambda bins, marks: GRADIENT_PASSES * 25,
        has_wrt=True,
    ),
    "class_optimization": Method(
        f"{_HERE}.class_optimization:class_optimization",
        is_signed=False,
        units="signal as measured",
        # Its steps are the same for all genes: `estimated_s` times them.
        passes=lambda bins, marks: 0,
    ),
    "gradient_x_input": Method(
        f"{_HERE}.gradient_x_input:gradient_x_input",
        is_signed=True,
        units="logit",
        passes=lambda bins, marks: GRADIENT_PASSES,
        is_cheap=True,
    ),
    "integrated_gradients": Method(
        f"{_HERE}.integrated_gradients:integrated_gradients",
        is_signed=True,
        units="logit",
        # As many as each gene's path needs: of E012's 56 on average.
        passes=lambda bins, marks: GRADIENT_PASSES * 56,
    ),
    "expected_gradients": Method(
        f"{_HERE}.expected_gradients:expected_gradients",
        is_signed=True,
        units="logit",
        passes=lambda bins, marks: GRADIENT_PASSES * 100,
        needs_background=True,
    ),
    "occlusion": Method(
        f"{_HERE}.occlusion:occlusion",
        is_signed=True,
        units="logit",
        passes=lambda bins, marks: 1 + bins * marks,
        needs_gradient=False,
    ),
    "mark_occlusion": Method(
        f"{_HERE}.occlusion:mark_occlusion",
        is_signed=True,
        units="logit",
        passes=lambda bins, marks: 1 + marks,
        needs_gradient=False,
        resolves_bins=False,
        is_cheap=True,
    ),
}
"""Every importance method by name."""


def importance_method(name: str) -> Callable[..., np.ndarray]:
    """The function of a method.

    Args:
        name: A name in `METHODS`.

    Returns:
        A function `(model, signal, **options)`: from a model of `keras_chrome.load_model` and the
        signal as measured, float32 `(genes, bins, marks)`, to the importance, float32 of the same
        shape. What its numbers mean, and its options, the function's own docstring says.

    Raises:
        InputError: If the method is unknown.

    Example:
        >>> importance = importance_method("integrated_gradients")(model, signal, steps=100)
    """
    module, function = _method(name).function.split(":")
    method: Callable[..., np.ndarray] = getattr(import_module(module), function)
    return method


def methods_of(model: Model, *, resolves_bins: bool = False, is_cheap: bool = False) -> list[str]:
    """The methods that a model has: those whose outputs or gradient it has.

    Args:
        model: From `keras_chrome.load_model`.
        resolves_bins: Whether to leave out those that give all bins of a mark the same importance.
        is_cheap: Whether to leave out those that take more than a few passes a gene.
    """
    import keras

    if isinstance(model, keras.Model):
        has = {name for name, m in METHODS.items() if set(model.output).issuperset(m.outputs)}
    else:
        has = {name for name, m in METHODS.items() if not (m.needs_gradient or m.outputs)}
    return [
        name
        for name, method in METHODS.items()
        if name in has
        and (method.resolves_bins or not resolves_bins)
        and (method.is_cheap or not is_cheap)
    ]


def with_respect_to(
    methods: Sequence[str], wrt: str | Sequence[str]
) -> dict[str, tuple[str, dict[str, str]]]:
    """Methods, those that are a gradient once for each of what it is with respect to.

    Args:
        methods: Names in `METHODS`.
        wrt: One of `keras_chrome.vocabulary.WRT`, or several.

    Returns:
        By label the method's name and its options for `compute_importance`. The label of a
        gradient with respect to the transformed signal ends in `_transformed`, any other is the
        method's name.

    Raises:
        InputError: If one is unknown, or there is no `wrt`.

    Example:
        >>> with_respect_to(["alpha", "saliency"], ["signal", "transformed"])
        {'alpha': ('alpha', {}), 'saliency': ('saliency', {'wrt': 'signal'}),
        'saliency_transformed': ('saliency', {'wrt': 'transformed'})}
    """
    given = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    if not given:
        raise InputError(f"Expected one or more of {WRT}. Received: wrt=()")
    for of_one in given:
        check_wrt(of_one)
    labelled: dict[str, tuple[str, dict[str, str]]] = {}
    for name in methods:
        if not _method(name).has_wrt:
            labelled[name] = name, {}
            continue
        for of_one in given:
            label = name if of_one == WRT[0] else f"{name}{_TRANSFORMED}"
            labelled[label] = name, {"wrt": of_one}
    return labelled


def method_of_label(label: str) -> Method:
    """What there is to know of the method that a label of `with_respect_to` stands for.

    Raises:
        InputError: If it is unknown.
    """
    of_gradient = METHODS.get(label.removesuffix(_TRANSFORMED))
    return of_gradient if of_gradient and of_gradient.has_wrt else _method(label)


def units_of(name: str, model: Model, *, wrt: str = "signal") -> str:
    """The units of a method's importance of a model.

    Args:
        name: A name in `METHODS`.
        model: From `keras_chrome.load_model`.
        wrt: What a gradient is with respect to.

    Raises:
        InputError: If the method or `wrt` is unknown.
    """
    from keras_chrome.importance.network import takes_log

    check_wrt(wrt)
    method = _method(name)
    is_transformed = method.has_wrt and wrt != WRT[0] and takes_log(model)
    units = _PER_TRANSFORMED if is_transformed else method.units
    # Of regression the layer `logit` gives the expression itself.
    is_regression = "expression" in getattr(model, "output", ())
    return units.replace("logit", "log2(expression + 1)") if is_regression else units


def check_wrt(wrt: str) -> None:
    """Refuse what no gradient is with respect to.

    Raises:
        InputError: If it is not in `keras_chrome.vocabulary.WRT`.
    """
    if wrt not in WRT:
        raise InputError(f"Expected {' or '.join(map(repr, WRT))}. Received: wrt={wrt!r}")


def compute_importance(
    name: str,
    model: Model,
    signal: np.ndarray,
    *,
    background: np.ndarray,
    wrt: str = "signal",
    **options: Any,
) -> np.ndarray:
    """The importance by a method, whether or not it compares genes with others.

    Args:
        name: A name in `METHODS`.
        model: From `keras_chrome.load_model`.
        signal: float32 `(genes, bins, marks)`, as measured.
        background: Training genes, `(others, bins, marks)`, for the methods that compare with them.
        wrt: What a gradient is with respect to, for the methods that have that option.
        **options: The method's own.

    Returns:
        float32 `(genes, bins, marks)`.

    Raises:
        InputError: If the method or `wrt` is unknown, the model lacks what it needs, or an
            importance is not finite.
    """
    from keras_chrome.models.prediction import check_finite

    check_wrt(wrt)
    function, method = importance_method(name), METHODS[name]
    if method.has_wrt:
        options["wrt"] = wrt
    if method.needs_background:
        options.setdefault("baselines", background)
    importance = function(model, signal, **options)
    check_finite({name: importance}, signal)
    return importance


def _method(name: str) -> Method:
    if name not in METHODS:
        raise InputError(f"Expected one of {sorted(METHODS)}. Received: method={name!r}")
    return METHODS[name]
