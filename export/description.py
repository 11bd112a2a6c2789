"""What a client must know of an exported model: its sidecar."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from export.formats import ONNX_BASELINES, Format
from keras_chrome.ensemble.members import check_alike, shared_by_members
from keras_chrome.errors import InputError
from keras_chrome.runs import Run

SIDECAR_FILE = Path("assets") / "keras_chrome.json"


def describe(runs: Sequence[Run], format: Format = "savedmodel") -> dict[str, Any]:
    """Describe the model of a run, or the ensemble of several.

    Args:
        runs: Runs of Keras models, at least one; or one of a baseline that the format can hold.
        format: What they are exported in.

    Returns:
        The contents of `assets/keras_chrome.json`, which `serving.client` reads as well.

    Raises:
        InputError: If a run is one of another baseline or has one as a member, or what is said of
            one run does not hold for another: only the weights of members may differ; or
            there are several, and one is an ensemble.
    """
    for run in runs:
        is_baseline = run.config.kind == "baseline"
        held = ONNX_BASELINES if format == "onnx" and is_baseline and len(runs) == 1 else ()
        if baselines := [name for name in run.config.without_graph if name not in held]:
            what = "a run of" if is_baseline else "an ensemble with"
            raise InputError(
                f"Expected a run of a Keras model. Received: {run.path}, {what} the baseline "
                f"{', '.join(baselines)}, which has no graph to serve. Of baselines one run of "
                f"{', '.join(ONNX_BASELINES)} can be exported, with --format onnx"
            )
        if run.config.kind == "ensemble" and len(runs) > 1:
            raise InputError(
                f"Expected runs of variants to make an ensemble of. Received: {run.path}, which is "
                "one already. Export it by itself"
            )
    check_alike(runs, _shared, "Export them under names of their own")
    config = runs[0].config
    shared = _shared(runs[0])
    members = [member for run in runs for member in run.config.counted_members or (run.config,)]
    variants = {member.model for member in members}
    known = {key: shared[key] for key in ("bin_bp", "flank_bp", "oriented", "genome")}
    label_rule = config.dataset.label_rule if config.dataset else None
    if config.labels == "published":
        label_rule = "as published"
    unit = (config.dataset.unit if config.dataset else None) or "RPKM"
    return {
        "format": 1,
        # An ensemble is the same model whether it was made here or is a run already.
        "variant": config.model if len(variants) > 1 else variants.pop(),
        "members": len(members),
        "seeds": [member.seed for member in members],
        "marks": list(config.marks),
        "num_bins": config.bins.num_bins,
        "transform": config.arguments["transform"],
        **runs[0].task.about_model(label_rule, unit),
        "dataset": shared["dataset"],
        **known,
        "versions": {
            package: version(package)
            for package in (
                ("keras-chrome", "scikit-learn")
                if config.kind == "baseline"
                else ("keras-chrome", "tensorflow", "keras")
            )
        },
    }


def _shared(run: Run) -> Mapping[str, Any]:
    """What a client is told of each member alike."""
    config = run.config
    return {
        "variant": config.model,
        "transform": config.arguments["transform"],
        **shared_by_members(run),
    }
