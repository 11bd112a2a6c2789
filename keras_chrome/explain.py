"""Compute which bins of which marks a model's answers rest on.

As a command: `python -m keras_chrome.explain RUN --methods saliency occlusion`, which writes a
NetCDF file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from keras_chrome.command_line import import_tensorflow_quietly, option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, compute_importance, methods_of
from keras_chrome.runs import open_study
from keras_chrome.runs.files import write_netcdf
from keras_chrome.runs.study import GeneArguments

if TYPE_CHECKING:
    import xarray as xr

    from keras_chrome.runs.study import GeneOptions


def explain(
    run_dir: str | Path, *, methods: Sequence[str] | None = None, **genes: Unpack[GeneOptions]
) -> xr.Dataset:
    """Compute the importance of every bin of genes, by several methods with their defaults.

    Args:
        run_dir: A run directory.
        methods: Names in `keras_chrome.importance.METHODS`; all that the model has if None.
        **genes: Which genes: `split`, `gene`, `dataset`, `data_dir`, `labels`, see `GeneOptions`.

    Returns:
        A variable (gene, mark, bin) a method, `probability` (gene), and what `Study.to_xarray`
        adds. The attributes of `integrated_gradients` and `expected_gradients` have
        `completeness_error`, the share of the logits' differences by which their sums are off.

    Raises:
        InputError: If the run, the dataset or the gene is missing, they do not fit each other, or
            the model lacks what a method needs.

    Example:
        >>> explain("runs/E012", methods=["saliency"], gene="PAX5")["saliency"]
    """
    study = open_study(run_dir, **genes)
    signal = study.genes.signal
    names = methods_of(study.model) if methods is None else list(dict.fromkeys(methods))
    background = study.background()
    variables: dict[str, tuple[Any, ...]] = {"probability": ("gene", study.prediction.probability)}
    for name in names:
        importance = compute_importance(name, study.model, signal, background=background)
        attributes: dict[str, Any] = {"is_signed": int(METHODS[name].is_signed)}
        if name in ("integrated_gradients", "expected_gradients"):
            from keras_chrome.importance.completeness import completeness

            baselines = background if METHODS[name].needs_background else 0.0
            of_method = completeness(study.model, signal, importance, baselines)
            attributes["completeness_error"] = of_method.total_error
        variables[name] = (("gene", "mark", "bin"), importance.swapaxes(1, 2), attributes)
    return study.to_xarray(variables)


@dataclass(frozen=True, kw_only=True)
class Options(GeneArguments):
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    methods: tuple[str, ...] | None = option(
        f"any of {', '.join(METHODS)} (default: all that the model has)",
        default=None,
        choices=METHODS,
        metavar="METHOD",
    )
    gene: str | None = option("one gene of any split: Ensembl id or symbol", default=None)
    out: Path | None = option("file to write (default: RUN/importance-SPLIT.nc)", default=None)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.explain",
        description="Compute which bins of which marks a run's predictions rest on, for every "
        "gene of a split or for one gene, and write them as NetCDF.",
    )
    import_tensorflow_quietly()
    importance = explain(given.run, methods=given.methods, **given.gene_options(given.gene))
    for name, values in importance.items():
        if (error := values.attrs.get("completeness_error")) is not None:
            print(f"{name}: the sums are off by {100 * error:.2f} % of the change in logit")
    name = given.gene or importance.attrs["split"]
    path = given.out or given.run / f"importance-{name}.nc"
    write_netcdf(path, importance)
    print(path)


if __name__ == "__main__":
    run_command(main, InputError)
