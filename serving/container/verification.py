"""What `verify.sh` asks of a running server, a step each.

    python -m serving.container.verification STEP ...

Every step prints one line and ends with 0, or says on standard error what was expected and received
and ends with 2. None imports more than it needs: verify.sh calls many.
"""

import shutil
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.command_line import option, parse, quieten_tensorflow, run_command
from serving.container.golden import (
    answer_name,
    compare_tables,
    make_signal,
    predict_in_process,
    write_genes,
)
from serving.container.running_server import (
    check_metrics,
    check_prometheus,
    check_rest,
    wait_available,
)
from serving.errors import InputError, VerificationError
from serving.models_config import read_models
from serving.ports import free_ports

_PROG = "python -m serving.container.verification"


def read_versions(models_dir: str | Path) -> dict[str, list[int]]:
    """The models that `models.config` names and, of each, the versions in its folder.

    Raises:
        InputError: If there is no such file, it names no model, or a model has no version.
    """
    path = Path(models_dir) / "models.config"
    models = {
        model.name: sorted(
            int(file.parent.name)
            for file in (path.parent / model.name).glob("*/saved_model.pb")
            if file.parent.name.isdecimal()
        )
        for model in read_models(path)
    }
    for name, versions in models.items():
        if not versions:
            raise InputError(
                f"Expected {name}/VERSION/saved_model.pb beside {path}, which names {name}. "
                "Received: none"
            )
    return models


def add_version(models_dir: str | Path, model: str) -> int:
    """Put a copy of a model's highest version beside it, one higher.

    The copy appears in one step: a server that looks meanwhile sees all of it or nothing. It is
    loaded because `models.config`, as `python -m export` writes it, asks for every version.

    Returns:
        The new version.
    """
    models_dir = Path(models_dir)
    highest = read_versions(models_dir)[model][-1]
    hidden = models_dir / f".{model}-{uuid.uuid4().hex}"
    shutil.copytree(models_dir / model / str(highest), hidden)
    hidden.rename(models_dir / model / str(highest + 1))
    return highest + 1


@dataclass(frozen=True, kw_only=True)
class _Step(ABC):
    """A step's options, and the step itself."""

    @abstractmethod
    def take(self) -> str:
        """Take the step; returns what it has to say."""


@dataclass(frozen=True, kw_only=True)
class _Ports(_Step):
    """Find free ports."""

    count: int = option("how many")

    def take(self) -> str:
        return " ".join(map(str, free_ports(self.count)))


@dataclass(frozen=True, kw_only=True)
class _Models(_Step):
    """Say which model and version verify.sh goes on with: the first, and its highest."""

    models_dir: Path = option("folder of models", aliases=("models",))

    def take(self) -> str:
        models = read_versions(self.models_dir)
        name = next(iter(models))
        return f"{name} {models[name][-1]}"


@dataclass(frozen=True, kw_only=True)
class _Golden(_Step):
    """Make up genes, and write what the SavedModel says of them by itself."""

    model_dir: Path = option("the SavedModel")
    genes: Path = option("the genes, a new CSV file")
    golden: Path = option("the predictions, a new CSV file")

    def take(self) -> str:
        quieten_tensorflow()
        signal = make_signal(self.model_dir)
        write_genes(self.genes, signal)
        table = predict_in_process(self.model_dir, signal)
        table.to_csv(self.golden, index=False)
        name = answer_name(map(str, table))
        low, high = table[name].min(), table[name].max()
        return f"{len(table)} genes, {name} {low:.3f} to {high:.3f}"


@dataclass(frozen=True, kw_only=True)
class _Compare(_Step):
    """Compare what a client wrote with the golden predictions."""

    table: Path = option("what serving.client wrote, CSV")
    golden: Path = option("the golden predictions")

    def take(self) -> str:
        return _same_within(compare_tables(self.table, self.golden))


@dataclass(frozen=True, kw_only=True)
class _Rest(_Step):
    """Ask over REST, and compare with the golden predictions."""

    url: str = option("of REST")
    model: str = option("name of the model")
    version: int = option("its version")
    model_dir: Path = option("the SavedModel")
    golden: Path = option("the golden predictions")

    def take(self) -> str:
        signal = make_signal(self.model_dir)
        return _same_within(check_rest(self.url, self.model, self.version, signal, self.golden))


@dataclass(frozen=True, kw_only=True)
class _Metrics(_Step):
    """Read the server's metrics."""

    url: str = option("of REST")
    model: str = option("name of the model")

    def take(self) -> str:
        return f"{check_metrics(self.url, self.model)} requests for {self.model} counted"


@dataclass(frozen=True, kw_only=True)
class _Prometheus(_Step):
    """Wait until Prometheus has read the metrics."""

    url: str = option("of Prometheus")
    timeout_s: float = option("longest wait")

    def take(self) -> str:
        num_rules = check_prometheus(self.url, self.timeout_s)
        return f"Prometheus reads the server, and has {num_rules} rules"


@dataclass(frozen=True, kw_only=True)
class _Wait(_Step):
    """Wait until a version is available."""

    url: str = option("of REST")
    model: str = option("name of the model")
    version: int = option("its version")
    timeout_s: float = option("longest wait")

    def take(self) -> str:
        wait_available(self.url, self.model, self.version, self.timeout_s)
        return f"{self.model} {self.version} is AVAILABLE"


@dataclass(frozen=True, kw_only=True)
class _AddVersion(_Step):
    """Put a copy of a model's highest version beside it, and say its number."""

    models_dir: Path = option("folder of models", aliases=("models",))
    model: str = option("name of the model")

    def take(self) -> str:
        return str(add_version(self.models_dir, self.model))


_STEPS: dict[str, type[_Step]] = {
    "ports": _Ports,
    "models": _Models,
    "golden": _Golden,
    "compare": _Compare,
    "rest": _Rest,
    "metrics": _Metrics,
    "prometheus": _Prometheus,
    "wait": _Wait,
    "add-version": _AddVersion,
}


@dataclass(frozen=True)
class _Choice:
    step: str = option(
        "what to do; STEP --help says with what", positional=True, choices=tuple(_STEPS)
    )


def _same_within(difference: float) -> str:
    return f"the same predictions as the SavedModel by itself, within {difference:.1g}"


def main(argv: Sequence[str] | None = None) -> None:
    """Take one step.

    Raises:
        InputError: If what is to be verified is not there.
        VerificationError: If a server does not do what it should.
    """
    name, *rest = (sys.argv[1:] if argv is None else argv) or [""]
    chosen = parse(
        _Choice, [name] if name else [], prog=_PROG, description="One step of verify.sh."
    )
    step = _STEPS[chosen.step]
    options = parse(step, rest, prog=f"{_PROG} {name}", description=step.__doc__ or "")
    print(options.take(), flush=True)


if __name__ == "__main__":
    run_command(main, InputError, VerificationError)
