"""Compute which bins of which marks a model's answers rest on.

As a command: `python -m keras_chrome.explain RUN --methods saliency occlusion`, which writes a
NetCDF file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from keras_chrome.command_line import as_spelled, option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError
from keras_chrome.importance import (
    METHODS,
    compute_importance,
    methods_of,
    units_of,
    with_respect_to,
)
from keras_chrome.runs import Study, open_study
from keras_chrome.runs.files import ARRAY_ENDINGS, array_ending, gene_file_name, write_arrays
from keras_chrome.runs.study import GENE_HELP, GeneArguments
from keras_chrome.tables import format_duration
from keras_chrome.vocabulary import WRT

if TYPE_CHECKING:
    import xarray as xr

    from keras_chrome.runs.study import GeneOptions

ALL = "all"
"""Stands for all methods that a model has."""
_CHEAP = [name for name, method in METHODS.items() if method.is_cheap]


def explain(
    run_dir: str | Path,
    *,
    methods: str | Sequence[str] | None = None,
    wrt: str | Sequence[str] = "signal",
    **genes: Unpack[GeneOptions],
) -> xr.Dataset:
    """Compute the importance of every bin of genes, by several methods with their defaults.

    Args:
        run_dir: A run directory.
        methods: Names in `keras_chrome.importance.METHODS`; `"all"` for all that the model has,
            and of these the cheap ones, which take a few passes a gene, if None.
        wrt: What saliency and smooth_grad are with respect to: `"signal"` as measured,
            `"transformed"`, log(1 + signal) if the model takes that, or both.
        **genes: Which genes: `split`, `gene`, `dataset`, `data_dir`, `labels`, see `GeneOptions`.

    Returns:
        A variable (gene, mark, bin) a method, and what `Study.to_xarray` adds, `probability`
        (gene) among it. Gradients with respect to the transformed signal are variables of their
        own, `saliency_transformed` and `smooth_grad_transformed`; the attribute `wrt` of a gradient
        says what it is with respect to. The attributes of `integrated_gradients` and
        `expected_gradients` have `completeness_error`, the share of the logits' differences by
        which their sums are off.

    Raises:
        InputError: If the run, the dataset or the gene is missing, they do not fit each other, the
            model lacks what a method needs, `wrt` is unknown, or an importance is not finite.

    Example:
        >>> explain("runs/E012", methods=["saliency"], gene="PAX5")["saliency"]
    """
    study = open_study(run_dir, **genes)
    *_, importance = explain_in_turn(study, with_respect_to(chosen_methods(study, methods), wrt))
    return importance


def chosen_methods(study: Study, methods: str | Sequence[str] | None) -> list[str]:
    """The methods that `explain` takes, each once.

    Raises:
        InputError: If there is none.
    """
    if methods is None:
        return methods_of(study.model, is_cheap=True)
    methods = [methods] if isinstance(methods, str) else methods
    chosen = list(dict.fromkeys(as_spelled(name, (*METHODS, ALL)) for name in methods))
    if not chosen:
        raise InputError("Expected at least one method. Received: methods=()")
    return methods_of(study.model) if ALL in chosen else chosen


def explain_in_turn(
    study: Study, methods: Mapping[str, tuple[str, dict[str, str]]]
) -> Iterator[xr.Dataset]:
    """Compute one method after the other.

    Args:
        study: Model and genes.
        methods: What `keras_chrome.importance.with_respect_to` makes of their names.

    Yields:
        What `explain` returns, of the methods so far.
    """
    signal, background = study.genes.signal, study.background()
    variables: dict[str, tuple[Any, ...]] = {}
    for label, (name, options) in methods.items():
        importance = compute_importance(name, study.model, signal, background=background, **options)
        attributes: dict[str, Any] = {
            "units": units_of(name, study.model, **options),
            "long_name": f"importance by {name}",
            "is_signed": int(METHODS[name].is_signed),
            **options,
        }
        if name in ("integrated_gradients", "expected_gradients"):
            from keras_chrome.importance.completeness import completeness

            baselines = background if METHODS[name].needs_background else 0.0
            of_method = completeness(study.model, signal, importance, baselines)
            attributes["completeness_error"] = of_method.total_error
        variables[label] = (("gene", "mark", "bin"), importance.swapaxes(1, 2), attributes)
        yield study.to_xarray(variables)


@dataclass(frozen=True, kw_only=True)
class Options(GeneArguments):
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    methods: tuple[str, ...] | None = option(
        f"importance methods (default: those of {', '.join(_CHEAP)} that the model has: the others "
        "take minutes to an hour)",
        default=None,
        choices=(*METHODS, ALL),
    )
    wrt: tuple[str, ...] = option(
        "what saliency and smooth_grad are with respect to: the signal as measured, or log(1 + "
        "signal) if the model takes that, as a variable whose name ends in _transformed",
        default=WRT[:1],
        choices=WRT,
    )
    gene: str | None = option(f"one gene of any split: {GENE_HELP}", default=None)
    out: Path | None = option(
        f"file to write, which ends in {', '.join(ARRAY_ENDINGS)} (default: "
        "RUN/importance-SPLIT.nc)",
        default=None,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.explain",
        description="Compute which bins of which marks a run's predictions rest on, for every "
        "gene of a split or for one gene, and write them as NetCDF or as a table. NetCDF is "
        "written anew as each method ends: what is broken off keeps what was done.",
    )
    if given.out:
        array_ending(given.out)
    quieten_tensorflow()
    study = open_study(given.run, **given.gene_options(given.gene))
    from keras_chrome.importance.duration import estimate

    methods = with_respect_to(chosen_methods(study, given.methods), given.wrt)
    print(estimate(methods, study.model, study.genes.signal), flush=True)
    name = gene_file_name(str(study.gene_names[0])) if given.gene else study.genes.split
    path = given.out or given.run / f"importance-{name}.nc"
    *_, last = methods
    started = time.perf_counter()
    for label, importance in zip(methods, explain_in_turn(study, methods), strict=True):
        # A table of all genes takes longer to write than a method to compute.
        if label == last or path.suffix.lower() == ".nc":
            write_arrays(path, importance)
        done = f"{label}: {format_duration(time.perf_counter() - started)}"
        if (error := importance[label].attrs.get("completeness_error")) is not None:
            done += f"; the sums are off by {100 * error:.2f} % of the change in logit"
        print(done, flush=True)
        started = time.perf_counter()
    print(path)


if __name__ == "__main__":
    run_command(main, InputError)
