"""The weights of a published AttentiveChrome, from PyTorch's names and layout to ours.

The authors' model (`github.com/QData/AttentiveChrome`, v2) names its tensors after its modules:
`rnn_hms.J` reads mark J, `hm_level_rnn_1` reads the marks, `fdiff1_1` is the output. PyTorch keeps
a gate's weights as rows and two biases; Keras keeps them as columns and one bias. Both order the
gates input, forget, cell, output.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from keras_chrome.import_weights.checkpoint import CheckpointError
from keras_chrome.import_weights.pickle_machine import shown

_MARK_NUMBER = re.compile(r"rnn_hms\.(\d{1,4})\.")
_MARK_LEVEL = "hm_level_rnn_1"
_OUTPUT = "fdiff1_1"
_CONTEXT = "bin_attention.bin_context_vector"
_DIRECTIONS = ("", "_reverse")


@dataclasses.dataclass(frozen=True, eq=False)
class PublishedWeights:
    """The weights of AttentiveChrome, float32, in the layout of Keras's LSTM.

    The axis of length 2 is the direction over the sequence, forward first. The columns of kernels
    and the entries of biases run over the gates input, forget, cell, output, each `units` long.
    Context vectors and what follows them see the forward units, then the reverse ones.

    Attributes:
        bin_kernel: (marks, 2, 1, 4 * bin_units), from a bin's signal; LSTM^j of the paper.
        bin_recurrent_kernel: (marks, 2, bin_units, 4 * bin_units).
        bin_bias: (marks, 2, 4 * bin_units).
        bin_context: (marks, 2 * bin_units), the context vectors W_b^j.
        mark_kernel: (2, 2 * bin_units, 4 * mark_units), from a mark's embedding; LSTM_s.
        mark_recurrent_kernel: (2, mark_units, 4 * mark_units).
        mark_bias: (2, 4 * mark_units).
        mark_context: (2 * mark_units,), the context vector W_s.
        output_kernel: (2 * mark_units, 1).
        output_bias: (1,).
    """

    bin_kernel: NDArray[np.float32]
    bin_recurrent_kernel: NDArray[np.float32]
    bin_bias: NDArray[np.float32]
    bin_context: NDArray[np.float32]
    mark_kernel: NDArray[np.float32]
    mark_recurrent_kernel: NDArray[np.float32]
    mark_bias: NDArray[np.float32]
    mark_context: NDArray[np.float32]
    output_kernel: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    @property
    def num_marks(self) -> int:
        """Number of marks, each with an LSTM of its own."""
        return int(self.bin_context.shape[0])

    @property
    def bin_units(self) -> int:
        """Units a direction of the LSTMs over bins; the paper's d = 32."""
        return int(self.bin_context.shape[1]) // 2

    @property
    def mark_units(self) -> int:
        """Units a direction of the LSTM over marks; 16 in the paper."""
        return int(self.mark_context.shape[0]) // 2


def attentive_chrome_arrays(state_dict: Mapping[str, np.ndarray]) -> PublishedWeights:
    """Maps the published tensors to the layout of Keras.

    Numbers of marks and of units are read off the tensors, so that a model of the authors' code
    with other sizes is mapped as well.

    Args:
        state_dict: Tensors by their PyTorch names, as `read_state_dict` returns them.

    Returns:
        The weights under our names.

    Raises:
        CheckpointError: If a tensor is missing, unknown, of another shape than the rest imply, or
            not made of finite floating-point numbers.
    """
    numbers = {int(match[1]) for match in map(_MARK_NUMBER.match, state_dict) if match}
    marks = [f"rnn_hms.{number}" for number in range(max(len(numbers), 1))]
    bin_units = _num_units(state_dict, f"{marks[0]}.rnn.weight_hh_l0")
    mark_units = _num_units(state_dict, f"{_MARK_LEVEL}.rnn.weight_hh_l0")
    expected: dict[str, tuple[int, ...]] = {}
    for mark in marks:
        expected |= _reader_shapes(mark, 1, bin_units)
    expected |= _reader_shapes(_MARK_LEVEL, 2 * bin_units, mark_units)
    expected |= {f"{_OUTPUT}.weight": (1, 2 * mark_units), f"{_OUTPUT}.bias": (1,)}
    _check(state_dict, expected)

    tensors = {name: np.asarray(state_dict[name], dtype=np.float32) for name in expected}
    over_bins = [_reader_weights(tensors, mark) for mark in marks]
    bin_kernel, bin_recurrent_kernel, bin_bias, bin_context = map(
        np.stack, zip(*over_bins, strict=True)
    )
    mark_kernel, mark_recurrent_kernel, mark_bias, mark_context = _reader_weights(
        tensors, _MARK_LEVEL
    )
    return PublishedWeights(
        bin_kernel=bin_kernel,
        bin_recurrent_kernel=bin_recurrent_kernel,
        bin_bias=bin_bias,
        bin_context=bin_context,
        mark_kernel=mark_kernel,
        mark_recurrent_kernel=mark_recurrent_kernel,
        mark_bias=mark_bias,
        mark_context=mark_context,
        output_kernel=tensors[f"{_OUTPUT}.weight"].T.copy(),
        output_bias=tensors[f"{_OUTPUT}.bias"].copy(),
    )


def _num_units(state_dict: Mapping[str, np.ndarray], name: str) -> int:
    """The units of an LSTM, from its recurrent weights."""
    shape = state_dict[name].shape if name in state_dict else None
    if shape is None or len(shape) != 2 or shape[1] < 1 or shape[0] != 4 * shape[1]:
        raise CheckpointError(
            f"Expected AttentiveChrome's tensor {name} of shape (4 * units, units). Received: "
            f"{'none' if shape is None else f'shape={shape}'} among {len(state_dict)} tensors. "
            "Give a checkpoint of the authors' AttentiveChrome (v2)."
        )
    return int(shape[1])


def _reader_shapes(module: str, num_inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a bidirectional LSTM with its attention."""
    shapes: dict[str, tuple[int, ...]] = {f"{module}.{_CONTEXT}": (2 * units, 1)}
    for direction in _DIRECTIONS:
        shapes |= {
            f"{module}.rnn.weight_ih_l0{direction}": (4 * units, num_inputs),
            f"{module}.rnn.weight_hh_l0{direction}": (4 * units, units),
            f"{module}.rnn.bias_ih_l0{direction}": (4 * units,),
            f"{module}.rnn.bias_hh_l0{direction}": (4 * units,),
        }
    return shapes


def _check(state_dict: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compares names, shapes and numbers with what was expected."""
    faults = [f"{shown(name)} is not known" for name in state_dict if name not in expected]
    for name, shape in expected.items():
        array = state_dict.get(name)
        if array is None:
            faults.append(f"{name} {shape} is missing")
        elif array.shape != shape:
            faults.append(f"{name} has shape {array.shape} instead of {shape}")
        elif not np.issubdtype(array.dtype, np.floating):
            faults.append(f"{name} has dtype {array.dtype} instead of floating point")
        elif not (np.abs(array) <= np.finfo(np.float32).max).all():
            faults.append(f"{name} holds NaN or infinity as float32")
    if faults:
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise CheckpointError(
            f"Expected the {len(expected)} tensors of AttentiveChrome. "
            f"Received: {'; '.join(faults[:5])}{more}."
        )


def _reader_weights(
    tensors: Mapping[str, NDArray[np.float32]], module: str
) -> tuple[NDArray[np.float32], ...]:
    """Kernel, recurrent kernel and bias (each with the direction first), and context vector."""

    def both_directions(name: str) -> NDArray[np.float32]:
        return np.stack([tensors[f"{module}.rnn.{name}_l0{end}"] for end in _DIRECTIONS])

    return (
        both_directions("weight_ih").transpose(0, 2, 1).copy(),
        both_directions("weight_hh").transpose(0, 2, 1).copy(),
        both_directions("bias_ih") + both_directions("bias_hh"),
        tensors[f"{module}.{_CONTEXT}"][:, 0].copy(),
    )
