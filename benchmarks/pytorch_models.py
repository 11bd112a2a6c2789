"""AttentiveChrome in PyTorch, twice: as the paper's code is designed, and as one recurrence.

Both are written anew from the paper's description. The reference names its tensors as published
checkpoints do, so that `python -m keras_chrome.import_weights` reads them.
"""

import numpy as np
import torch
from torch import Tensor, nn

from keras_chrome.import_weights.attentive_chrome import PublishedWeights

BIN_UNITS, MARK_UNITS = 32, 16

# Logit (batch,), alpha (batch, marks, bins), beta (batch, marks).
Answers = tuple[Tensor, Tensor, Tensor]


class Attention(nn.Module):
    """A sum over steps, weighted by a softmax of products with a context vector."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.bin_context_vector = nn.Parameter(torch.empty(units, 1).uniform_(-0.1, 0.1))

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """From (batch, steps, units) to the sums (batch, units) and weights (batch, steps)."""
        weights = torch.softmax(hidden @ self.bin_context_vector, dim=1)
        return (weights * hidden).sum(dim=1), weights.squeeze(2)


class Reader(nn.Module):
    """A bidirectional LSTM with attention over its steps."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(channels, units, bidirectional=True, batch_first=True)
        self.bin_attention = Attention(2 * units)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """From (batch, steps, channels) to the sums (batch, 2 * units) and weights."""
        return self.bin_attention(self.rnn(inputs)[0])


class ReferenceDesign(nn.Module):
    """One `nn.LSTM` and one attention a mark, called in a Python loop."""

    def __init__(self, num_marks: int) -> None:
        super().__init__()
        self.rnn_hms = nn.ModuleList(Reader(1, BIN_UNITS) for _ in range(num_marks))
        self.hm_level_rnn_1 = Reader(2 * BIN_UNITS, MARK_UNITS)
        self.fdiff1_1 = nn.Linear(2 * MARK_UNITS, 1)

    def forward(self, signal: Tensor) -> Answers:
        """Predict genes from signal (batch, bins, marks)."""
        of_marks = [reader(signal[:, :, j : j + 1]) for j, reader in enumerate(self.rnn_hms)]
        embeddings, alpha = (torch.stack(parts, dim=1) for parts in zip(*of_marks, strict=True))
        gene_embedding, beta = self.hm_level_rnn_1(embeddings)
        return self.fdiff1_1(gene_embedding).squeeze(1), alpha, beta


class OneRecurrence(nn.Module):
    """All marks and both directions in one loop over the bins, one batched product a step.

    A lane is a mark in one direction; the lanes of a mark follow each other, forward first.
    """

    def __init__(self, weights: PublishedWeights) -> None:
        super().__init__()

        def lanes(array: np.ndarray) -> nn.Parameter:
            return nn.Parameter(torch.from_numpy(array).flatten(0, 1).contiguous())

        self.kernel = lanes(weights.bin_kernel)
        self.recurrent_kernel = lanes(weights.bin_recurrent_kernel)
        self.bias = lanes(weights.bin_bias[:, :, None])
        self.context = nn.Parameter(torch.from_numpy(weights.bin_context).clone())
        self.mark_reader = Reader(2 * BIN_UNITS, MARK_UNITS)
        self.output = nn.Linear(2 * MARK_UNITS, 1)

    @classmethod
    def of(cls, reference: ReferenceDesign, weights: PublishedWeights) -> "OneRecurrence":
        """The same model: `weights` are those of `reference` in Keras's layout."""
        model = cls(weights)
        model.mark_reader.load_state_dict(reference.hm_level_rnn_1.state_dict())
        model.output.load_state_dict(reference.fdiff1_1.state_dict())
        return model

    def forward(self, signal: Tensor) -> Answers:
        """Predict genes from signal (batch, bins, marks)."""
        steps_first = signal.permute(1, 2, 0)
        both = torch.stack([steps_first, steps_first.flip(0)], dim=2).flatten(1, 2)
        projected = both[..., None] * self.kernel + self.bias
        hidden = cell = signal.new_zeros(*both.shape[1:], BIN_UNITS)
        states = []
        for of_bin in projected:
            i, f, g, o = torch.baddbmm(of_bin, hidden, self.recurrent_kernel).chunk(4, dim=-1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            states.append(hidden)
        of_lanes = torch.stack(states)
        hidden = torch.cat([of_lanes[:, ::2], of_lanes[:, 1::2].flip(0)], dim=-1)
        alpha = torch.softmax((hidden * self.context[:, None]).sum(dim=-1), dim=0)
        embeddings = (alpha[..., None] * hidden).sum(dim=0).transpose(0, 1)
        gene_embedding, beta = self.mark_reader(embeddings)
        return self.output(gene_embedding).squeeze(1), alpha.permute(2, 1, 0), beta
