"""Which versions of which models are loaded: by policy, label, and what lies in the folders.

The rules are TensorFlow Serving's. A model has a base folder whose subfolders with numbers for
names are its versions; a policy says which of them should be loaded (the highest, unless it says
otherwise). The folders are looked at again and again. A new version is loaded before the old one
goes, and if it cannot be loaded the old one stays.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import grpc

from serving.errors import InputError
from serving.models_config import CONTAINER_MODELS
from serving.stand_in.servable import LoadError, RequestError, Servable, invalid

if TYPE_CHECKING:
    from tensorflow_serving.apis.model_pb2 import ModelSpec
    from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

_logger = logging.getLogger("serving.local")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PLATFORM = "tensorflow"
_MOST_LOADS = 6
_RETRY_S = 60.0

# As in GetModelStatus.
START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclass
class ModelVersion:
    """A version that is or was loaded, or could not be.

    Attributes:
        path: Its folder.
        state: Its state, as GetModelStatus says it.
        error: Why it could not be loaded when that was last tried, or nothing.
        servable: What answers, while it is available.
        num_loads: How often loading was tried.
        retry_at_s: When it may be tried again, by the event loop's clock.
    """

    path: Path
    state: str = START
    error: str = ""
    servable: Servable | None = None
    num_loads: int = 0
    retry_at_s: float = 0.0


class ModelStore:
    """The models that are served; belongs to one event loop.

    Args:
        models_dir: Folder that stands for the container's `/models`. Nothing outside is loaded.
        on_load: Called with the path of a version, as the configuration names it, and whether it
            could be loaded.
        allow_unsafe_ops: As `Servable` takes it.
    """

    def __init__(
        self,
        models_dir: Path,
        on_load: Callable[[str, bool], None],
        *,
        allow_unsafe_ops: bool = False,
    ) -> None:
        self.models_dir = models_dir
        self._on_load = on_load
        self._allow_unsafe_ops = allow_unsafe_ops
        self._configs: dict[str, ModelConfig] = {}
        self._versions: dict[str, dict[int, ModelVersion]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        # Models whose folder is away, which was told.
        self._away: set[str] = set()
        self._changing = asyncio.Condition()
        # One at a time: loading takes the cores that answer requests.
        self._threads = ThreadPoolExecutor(1, "load")

    def close(self) -> None:
        """Let go of all models; requests under way keep theirs until they are answered."""
        self._versions.clear()
        self._threads.shutdown(wait=True)

    def available(self) -> dict[str, list[int]]:
        """The versions that answer, for each model's name."""
        names = {name: self._available(name) for name in sorted(self._versions)}
        return {name: versions for name, versions in names.items() if versions}

    def known(self, name: str) -> str:
        """The name, if it is one of a model that is configured, or nothing."""
        return name if name in self._configs else ""

    def _available(self, name: str) -> list[int]:
        versions = self._versions.get(name, {})
        return sorted(n for n, version in versions.items() if version.state == AVAILABLE)

    def find(self, spec: "ModelSpec") -> Servable:
        """The version that answers a request.

        Raises:
            RequestError: If there is none, in the words of TensorFlow Serving.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            if (wanted := self._labels.get(spec.name, {}).get(spec.version_label)) is None:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
        elif choice == "version":
            wanted = spec.version.value
        else:
            wanted = max(self._available(spec.name), default=None)
        version = self._versions.get(spec.name, {}).get(wanted) if wanted is not None else None
        if version is None or version.servable is None:
            asked = f"Specific({spec.name}, {wanted})" if choice else f"Latest({spec.name})"
            raise RequestError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}"
            )
        return version.servable

    def versions(self, spec: "ModelSpec") -> dict[int, ModelVersion]:
        """Every version that was ever asked to be loaded, or the one that the request names.

        Raises:
            RequestError: If there is none.
        """
        versions = self._versions.get(spec.name, {})
        if not spec.HasField("version"):
            missing = f"Could not find any versions of model {spec.name}"
        else:
            wanted = spec.version.value
            versions = {wanted: versions[wanted]} if wanted in versions else {}
            missing = f"Could not find version {wanted} of model {spec.name}"
        if not versions:
            raise RequestError(grpc.StatusCode.NOT_FOUND, missing)
        return versions

    def config_of_folder(self) -> "ModelServerConfig":
        """A configuration in which every folder with a numbered one inside is a model.

        Models that are configured stay: as with a file, one whose folder is away keeps answering.

        Raises:
            InputError: If the folder of models is none.
        """
        from tensorflow_serving.config import model_server_config_pb2

        config = model_server_config_pb2.ModelServerConfig()
        config.model_config_list.SetInParent()
        for name in sorted(self.in_folder() | self._configs.keys()):
            config.model_config_list.config.add(
                name=name, base_path=str(CONTAINER_MODELS / name), model_platform="tensorflow"
            )
        return config

    def in_folder(self) -> set[str]:
        """Names of the models that lie in the folder of models, whether they are served or not.

        Raises:
            InputError: If the folder of models is none.
        """
        try:
            folders = sorted(path for path in self.models_dir.iterdir() if path.is_dir())
        except OSError as error:
            raise InputError(
                f"Expected a folder of models. Received: models_dir={self.models_dir} "
                f"({error.strerror}). Export one: python -m export RUN --to {self.models_dir} "
                "--name NAME"
            ) from error
        # What starts with a point is an export under way.
        return {p.name for p in folders if _NAME.fullmatch(p.name) and _numbered_folders(p)}

    def served(self) -> str:
        """What answers, in words: `demo 1 (stable), 2 (canary); e012 1 (stable)`."""
        models = []
        for name, versions in self.available().items():
            labels = {number: label for label, number in self._labels.get(name, {}).items()}
            numbered = (f"{n} ({labels[n]})" if n in labels else f"{n}" for n in versions)
            models.append(f"{name} {', '.join(numbered)}")
        return "; ".join(models)

    async def apply(self, config: "ModelServerConfig", *, is_patient: bool = False) -> None:
        """Serve what a configuration says, and nothing else; returns when new models answer.

        Args:
            config: The configuration.
            is_patient: Whether to wait for a new model whose folder or versions are not there, or
                that is tried again, as TensorFlow Serving does.

        Raises:
            RequestError: If the configuration is refused, and then nothing has changed; or if a
                model that is new could not be loaded.
        """
        if config.WhichOneof("config") != "model_config_list":
            raise _not_now(
                "Cannot transition to requested config. It is only legal to transition from one "
                "ModelConfigList to another."
            )
        async with self._changing:
            configs = self._checked(config.model_config_list.config)
            labels = {name: dict(c.version_labels) for name, c in configs.items()}
            self._check_labels(labels)
            new = configs.keys() - self._configs.keys()
            self._labels, self._configs = labels, configs
            await self._load_and_unload()
            if is_patient:
                await self._changing.wait_for(lambda: all(map(self._is_decided, new)))
            missing = sorted(name for name in new if not self._available(name))
            if missing:
                raise RequestError(
                    grpc.StatusCode.UNKNOWN,
                    f"{len(missing)} model(s) did not become available: "
                    f"{{{''.join(map(self._describe_failure, missing))}}}",
                )

    async def poll(self) -> None:
        """Look at the folders again: load what is new, let go of what is gone."""
        async with self._changing:
            await self._load_and_unload()
            self._changing.notify_all()

    def failures(self) -> dict[Path, str]:
        """Versions that could not be loaded, and why."""
        return {
            version.path: version.error
            for versions in self._versions.values()
            for version in versions.values()
            if version.error
        }

    def _is_decided(self, name: str) -> bool:
        states = {version.state for version in self._versions.get(name, {}).values()}
        return AVAILABLE in states or states == {END} or name not in self._configs

    def _describe_failure(self, name: str) -> str:
        versions = self._versions.get(name, {})
        return (
            "".join(
                f"{{{{name: {name} version: {number}}} due to error: UNKNOWN: {version.error}}}, "
                for number, version in versions.items()
            )
            or f"{{{name}}}, "
        )

    def _checked(self, configs: Iterable["ModelConfig"]) -> dict[str, "ModelConfig"]:
        checked: dict[str, ModelConfig] = {}
        for config in configs:
            name = config.name
            if name in checked:
                raise invalid(f"Illegal to list model {name} multiple times in config list")
            # TensorFlow Serving takes any text. Names end in paths, logs and web pages.
            if not _NAME.fullmatch(name):
                raise invalid(f"Illegal name of a model: {name!r}")
            if (platform := _platform(config)) != _PLATFORM:
                raise invalid(
                    f"Illegal to change a model's platform. For model {name} platform was "
                    f"{_PLATFORM} and new platform requested is {platform}"
                    if name in self._configs
                    else f"Model {name} requests unsupported platform {platform}"
                )
            self._base_dir(config)
            checked[name] = config
        return checked

    def _base_dir(self, config: "ModelConfig") -> Path:
        path = PurePosixPath(config.base_path)
        if not path.is_absolute():
            raise invalid(
                f"Expected model {config.name} to have an absolute path or URI; got "
                f"base_path()={config.base_path}"
            )
        root = self.models_dir.resolve()
        inside = path.is_relative_to(CONTAINER_MODELS)
        folder = root / path.relative_to(CONTAINER_MODELS) if inside else Path(path)
        # Without following links: a version may be one, the way to it must stay inside.
        if ".." in path.parts or not folder.is_relative_to(root):
            raise invalid(
                f"Expected model {config.name} to lie in the folder of models; got "
                f"base_path()={config.base_path}"
            )
        return folder

    def _check_labels(self, labels: dict[str, dict[str, int]]) -> None:
        for name, versions in labels.items():
            for label, number in versions.items():
                # A label that is new may name what is loaded later; one that moves, may not.
                # TensorFlow Serving: --allow_version_labels_for_unavailable_models.
                present = self._labels.get(name, {}).get(label, number)
                if present != number and number not in self._available(name):
                    raise _not_now(
                        f"Request to assign label to version {number} of model {name}, which is "
                        "not currently available for inference"
                    )

    async def _load_and_unload(self) -> None:
        for name in [*self._versions]:
            if name not in self._configs:
                self._unload(name, self._versions[name])
        for name, config in self._configs.items():
            base_dir = self._base_dir(config)
            try:
                found = _numbered_folders(base_dir)
            except OSError as error:
                # A file system that is away for a moment must not unload what answers.
                if name not in self._away:
                    reason = error.strerror or error
                    _logger.warning(
                        "Could not find base path %s for %s (%s)", base_dir, name, reason
                    )
                self._away.add(name)
                continue
            self._away.discard(name)
            aspired = _aspired(config, found)
            versions = self._versions.setdefault(name, {})
            for number in sorted(aspired):
                await self._load(name, number, found[number])
            if not aspired or any(versions[number].state == AVAILABLE for number in aspired):
                self._unload(name, versions.keys() - aspired)

    async def _load(self, name: str, number: int, path: Path) -> None:
        loop = asyncio.get_running_loop()
        versions = self._versions[name]
        version = versions.get(number)
        if version is None or (version.state == END and not version.error):
            version = versions[number] = ModelVersion(path)
        is_due = version.num_loads < _MOST_LOADS and loop.time() >= version.retry_at_s
        if version.state == AVAILABLE or not is_due:
            return
        version.state = LOADING
        version.num_loads += 1
        model_path = f"{self._configs[name].base_path}/{number}"
        try:
            version.servable = await loop.run_in_executor(
                self._threads, self._load_servable, name, number, path
            )
        except LoadError as error:
            version.error = str(error)
            version.retry_at_s = loop.time() + _RETRY_S
            if version.num_loads == _MOST_LOADS:
                version.state = END
            self._on_load(model_path, False)
            _logger.warning("%s version %d cannot be loaded: %s", name, number, error)
        else:
            version.state, version.error = AVAILABLE, ""
            self._on_load(model_path, True)
            _logger.info("%s version %d is available", name, number)

    def _load_servable(self, name: str, number: int, path: Path) -> Servable:
        return Servable(name, number, path, allow_unsafe_ops=self._allow_unsafe_ops)

    def _unload(self, name: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            version = self._versions[name][number]
            if version.state == AVAILABLE:
                _logger.info("%s version %d is unloaded", name, number)
            # The session ends with the last request that still holds it.
            version.servable, version.state, version.error = None, END, ""


def _not_now(message: str) -> RequestError:
    return RequestError(grpc.StatusCode.FAILED_PRECONDITION, message)


def _platform(config: "ModelConfig") -> str:
    from tensorflow_serving.config.model_server_config_pb2 import TENSORFLOW

    if not config.model_type and not config.model_platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform."
        )
    if config.model_type and config.model_platform:
        raise invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform."
        )
    if config.model_type not in (0, TENSORFLOW):
        raise invalid(f"ModelServerConfig::model_type choice {config.model_type} not supported.")
    return config.model_platform or _PLATFORM


def _numbered_folders(folder: Path) -> dict[int, Path]:
    paths = (path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())
    return {int(path.name): path for path in paths}


def _aspired(config: "ModelConfig", found: dict[int, Any]) -> set[int]:
    policy = config.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return set(found)
        case "specific":
            return set(found) & set(policy.specific.versions)
    num_versions = policy.latest.num_versions or 1
    return set(sorted(found, reverse=True)[:num_versions])
