"""The models of `pytorch_models`, trained as the paper trains."""

import os

import numpy as np
import torch
from pytorch_models import OneRecurrence, ReferenceDesign
from random_genes import RandomGenes
from sides import CLIP_NORM, LEARNING_RATE, Setting, Steps
from torch import nn

from keras_chrome.import_weights.attentive_chrome import attentive_chrome_arrays


class ReferenceSide:
    """One `nn.LSTM` a mark."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(os.cpu_count() or 1)

    def model(self, num_marks: int) -> nn.Module:
        """The module to measure."""
        return ReferenceDesign(num_marks)

    def training(self, setting: Setting) -> Steps:
        """A training step on random rows."""
        genes = RandomGenes(setting)
        signal = torch.from_numpy(genes.signal)
        label = torch.from_numpy(genes.label.astype(np.float32))
        model = self.model(setting.marks)
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)

        def run() -> float:
            rows = torch.randperm(len(label))[: setting.batch]
            return train_step(model, optimizer, signal[rows], label[rows])

        return Steps(run)

    def prediction(self, setting: Setting) -> Steps:
        """Predictions of a batch."""
        signal = RandomGenes(setting).signal[: setting.batch]
        model = self.model(setting.marks).eval()

        @torch.inference_mode()
        def run() -> list[np.ndarray]:
            logit, *attention = model(torch.from_numpy(signal))
            return [answer.numpy() for answer in (torch.sigmoid(logit), *attention)]

        return Steps(run)

    def matrix_product(self, size: int) -> Steps:
        """PyTorch's product."""
        matrix = torch.randn(size, size)
        return Steps(lambda: matrix @ matrix)


class OneRecurrenceSide(ReferenceSide):
    """All marks in one recurrence."""

    def model(self, num_marks: int) -> nn.Module:
        """The same weights as the reference."""
        reference = ReferenceDesign(num_marks)
        return OneRecurrence.of(reference, attentive_chrome_arrays(to_arrays(reference)))


def to_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """The tensors of a module by their names."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, signal: torch.Tensor, label: torch.Tensor
) -> float:
    """Train on a batch; the loss."""
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(signal)[0], label)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return loss.item()
