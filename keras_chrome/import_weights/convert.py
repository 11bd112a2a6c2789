"""Turn a published PyTorch AttentiveChrome into a run directory.

As a command: `python -m keras_chrome.import_weights CHECKPOINT.pt --run-dir RUN`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.command_line import option
from keras_chrome.data.dataset import check_each_once
from keras_chrome.errors import InputError
from keras_chrome.import_weights.attentive_chrome import attentive_chrome_arrays
from keras_chrome.import_weights.checkpoint import read_state_dict
from keras_chrome.models import build_model
from keras_chrome.runs import new_run
from keras_chrome.runs.config import MAX_BINS, MAX_BP
from keras_chrome.runs.download import fetch_file, is_url
from keras_chrome.runs.json_reader import UNPRINTABLE
from keras_chrome.runs.run import check_free
from keras_chrome.vocabulary import CORE_MARKS

if TYPE_CHECKING:
    from keras_chrome.runs import Run

PUBLISHED = {
    "E003": "https://zenodo.org/api/files/2bf982b6-143f-49f6-b9ad-1b1e60f67292/"
    "E003_attchrome_avgAUC_model.pt?download=1"
    "#sha256=2e45d92c1c45edb4158c5f678af17e187a1c1cda42cd28898e84ee1ee1e4d8ca",
}
"""Where the authors' weights of an epigenome lie, as Kipoi's models.tsv lists them."""


@dataclass(frozen=True)
class ImportConfig:
    """What a checkpoint does not say of itself.

    Raises:
        InputError: If a number is not positive.
    """

    run_dir: str | Path = option("run directory to write")
    marks: tuple[str, ...] = option("the model's marks, in its order", default=CORE_MARKS)
    num_bins: int = option("bins of a gene region", default=100)
    bin_bp: int = option("width of a bin in bp", default=100)
    flank_bp: int = option("bp from the TSS to either end of the gene region", default=5000)

    def __post_init__(self) -> None:
        object.__setattr__(self, "run_dir", Path(self.run_dir).expanduser())
        for name, most in (("num_bins", MAX_BINS), ("bin_bp", MAX_BP), ("flank_bp", MAX_BP)):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")
            if value > most:
                raise InputError(f"Expected at most {most}. Received: {name}={value}")
        check_each_once(self.marks)
        if any(map(UNPRINTABLE.search, self.marks)):
            raise InputError(f"Expected marks of one line. Received: {', '.join(self.marks)}")


def import_weights(checkpoint: str | Path, config: ImportConfig) -> Run:
    """Make a run directory of a published checkpoint.

    The checkpoint is read without executing what is pickled in it, and without PyTorch. The
    published models take read counts as they are and were trained on the authors' labels.

    Args:
        checkpoint: A file that `torch.save` wrote, of either format, or its https URL with
            `#sha256=...` at the end, or a name in `PUBLISHED`; it is fetched once, and kept.
        config: What the file does not say.

    Returns:
        A run that every command takes. Since it was not trained on a dataset here, `evaluate`
        and `attend` have to be told one.

    Raises:
        InputError: If the file is no such checkpoint or is damaged, it has another number of
            marks than `config`, or the run directory holds a run already.
    """
    if not Path(checkpoint).is_file():
        checkpoint = PUBLISHED.get(str(checkpoint), checkpoint)
    checkpoint = (
        fetch_file(str(checkpoint)) if is_url(checkpoint) else Path(checkpoint).expanduser()
    )
    weights = attentive_chrome_arrays(read_state_dict(checkpoint))
    if weights.num_marks != len(config.marks):
        raise InputError(
            f"Expected {weights.num_marks} marks, as in {checkpoint}. "
            f"Received: marks={', '.join(config.marks)}"
        )
    check_free(config.run_dir)

    variant = "attentive_chrome"
    arguments: dict[str, Any] = {
        "marks": list(config.marks),
        "num_bins": config.num_bins,
        "transform": "none",
        "bin_units": weights.bin_units,
        "mark_units": weights.mark_units,
    }
    model = build_model(variant, **arguments)
    for layer, arrays in {
        "bin_encoder": (
            weights.bin_kernel,
            weights.bin_recurrent_kernel,
            weights.bin_bias,
            weights.bin_context,
        ),
        # One sequence of marks: a first axis of one.
        "mark_lstm": (
            weights.mark_kernel[None],
            weights.mark_recurrent_kernel[None],
            weights.mark_bias[None],
        ),
        "mark_attention": (weights.mark_context,),
        "logit": (weights.output_kernel, weights.output_bias),
    }.items():
        model.get_layer(layer).set_weights(arrays)
    with new_run(
        config.run_dir,
        options={
            **dataclasses.asdict(config),
            "checkpoint": checkpoint.name,
            "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
            "labels": "published",
        },
        model={"variant": variant, **arguments},
        dataset={name: getattr(config, name) for name in ("num_bins", "bin_bp", "flank_bp")},
        verb="import_weights",
    ) as run:
        run.save_model(model)
    return run
