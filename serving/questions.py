"""What a client asks of a served model, in parts that fit, and what becomes of each answer.

Nothing here sends anything: all clients ask the same, however they reach the server.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import grpc
import numpy as np

from serving.description import ModelDescription
from serving.errors import ServerError
from serving.genes import Genes, check_regions
from serving.predictions import Prediction, Saliency

_T = TypeVar("_T")
_Result = TypeVar("_Result", bound=Prediction | Saliency)

# Genes, all at once or in chunks; signals `(n, bins, marks)` without gene ids do as well.
GeneChunk = np.ndarray | Genes
GeneSource = GeneChunk | Iterable[GeneChunk]
# A number, a label, or None for what the server takes by itself, the highest number.
VersionChoice = int | str | None

# As TensorFlow names its types; the others have NumPy's names.
_DTYPES = {"float": "float32", "double": "float64", "half": "float16"}


class Answer(NamedTuple):
    """What a server answers.

    Attributes:
        outputs: Arrays, or nested lists of numbers or texts, by their names.
        version: The version of the model that answered.
    """

    outputs: Mapping[str, Any]
    version: int


class Request(NamedTuple, Generic[_T]):
    """One request to one signature.

    Attributes:
        signature: Name of the signature.
        input_name: Name of its only input.
        output_name: Name of its output, where it has one alone.
        values: The input, float32.
        read: Makes of the answer what the user wants.
    """

    signature: str
    input_name: str
    output_name: str
    values: np.ndarray
    read: Callable[[Answer], _T]


def describe_request(model: str) -> Request[ModelDescription]:
    """Ask a model what it expects."""

    def read(answer: Answer) -> ModelDescription:
        return ModelDescription.parse(model, answer.version, answer.outputs)

    return Request("describe", "query", "description", np.zeros(1, np.float32), read)


def signal_requests(
    signature: str,
    result: type[_Result],
    genes: GeneSource,
    marks: Sequence[str] | None,
    description: ModelDescription,
    genes_a_request: int,
) -> Iterator[Request[_Result]]:
    """Ask a signature that takes signals, as often as the genes need.

    Args:
        signature: Name of the signature.
        result: What each answer becomes.
        genes: One chunk of genes, or several, which are read one by one.
        marks: Names of the marks on the last axis of arrays; `Genes` know theirs, which are
            brought into the model's order.
        description: What the model expects.
        genes_a_request: Most genes in one request; a request never spans two chunks.

    Raises:
        InputError: While iterating, where a chunk is not what the model expects.
    """
    is_one = isinstance(genes, Genes) or hasattr(genes, "__array__")
    chunks: Iterable[Any] = (genes,) if is_one else genes
    for chunk in chunks:
        gene_id = None
        if isinstance(chunk, Genes):
            check_regions(chunk.about, description.details)
            description.check_bins(chunk)
            genes_of_model = chunk.with_marks(description.marks)
            gene_id, chunk = genes_of_model.gene_id, genes_of_model.signal
        elif marks is not None:
            description.check_marks(marks)
        signal = np.asarray(chunk)
        description.check_layout(signal)
        names: Sequence[int] | np.ndarray = range(len(signal)) if gene_id is None else gene_id
        for start in range(0, len(signal), genes_a_request):
            part = slice(start, start + genes_a_request)
            values = description.checked_values(signal[part], names[part])
            ids = None if gene_id is None else gene_id[part]
            read = partial(_read_answer, result, description, len(values), ids)
            yield Request(signature, "signal", description.output, values, read)


def _read_answer(
    result: type[_Result],
    description: ModelDescription,
    num_genes: int,
    gene_id: np.ndarray | None,
    answer: Answer,
) -> _Result:
    outputs: dict[str, np.ndarray] = {}
    shapes = description.output_shapes
    for field in result._fields:
        name = field.replace("answer", description.output)
        # Not gene_id, which is no output; nor what only an ensemble has, if the model is none.
        if name in shapes and (name in answer.outputs or field not in result._field_defaults):
            outputs[field] = _array_of(name, (num_genes, *shapes[name]), description, answer)
            _check_finite(name, outputs[field], description, gene_id)
    return result(**outputs, gene_id=gene_id, output=description.output)


def _array_of(
    name: str, shape: tuple[int, ...], description: ModelDescription, answer: Answer
) -> np.ndarray:
    try:
        # A copy: what came in a message cannot be written to.
        array = np.array(answer.outputs[name], np.float32)
        if array.shape == shape:
            return array
        received = f"shape={array.shape}"
    except (LookupError, ValueError, TypeError):
        received = f"outputs={', '.join(answer.outputs)}"
    raise ServerError(
        grpc.StatusCode.INTERNAL,
        f"Expected numbers {name} of shape {shape} from model {description.name}, version "
        f"{answer.version}. Received: {received}. Export the model with: python -m export",
    )


def _check_finite(
    name: str, array: np.ndarray, description: ModelDescription, gene_id: np.ndarray | None
) -> None:
    faults = np.argwhere(~np.isfinite(array))
    if len(faults):
        gene = "" if gene_id is None else f" for gene {gene_id[faults[0][0]]}"
        raise ServerError(
            grpc.StatusCode.INTERNAL,
            f"Expected finite numbers {name} from model {description.name}, version "
            f"{description.version}. Received: {array[tuple(faults[0])]}{gene}. Its weights or its "
            "scaling are at fault: train and export it again",
        )


Signatures = dict[str, dict[str, dict[str, tuple[str, tuple[int, ...]]]]]


def read_signatures(signature_def_map: Mapping[str, Any]) -> Signatures:
    """Dtype and shape of each tensor of each signature, from a `SignatureDefMap` as JSON."""

    def tensors(signature: Mapping[str, Any], key: str) -> dict[str, tuple[str, tuple[int, ...]]]:
        return {
            name: (
                _DTYPES.get(kind := info["dtype"].removeprefix("DT_").lower(), kind),
                tuple(int(dim["size"]) for dim in info["tensor_shape"].get("dim", ())),
            )
            for name, info in sorted(signature.get(key, {}).items())
        }

    return {
        # The loader's own signature has no outputs; nobody can ask it.
        name: {key: tensors(signature, key) for key in ("inputs", "outputs")}
        for name, signature in sorted(signature_def_map["signature_def"].items())
        if not name.startswith("__")
    }


def read_states(status: Mapping[str, Any]) -> dict[int, str]:
    """State of each version, from a `GetModelStatusResponse` as JSON."""
    return {
        int(version["version"]): version.get("state", "UNKNOWN")
        for version in status["model_version_status"]
    }
