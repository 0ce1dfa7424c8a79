"""TinyLSTM: two LSTM layers, a linear layer and the activation before the head."""

from __future__ import annotations

from torch import Tensor, nn

from actrepro.models.blocks import (
    Activated,
    Dropout,
    ModelSpec,
    initialise_lstm,
    matched_width,
    recur,
)


class TinyLSTM(nn.Module):
    """The activation acts on a linear layer's output: an LSTM's own is bounded by tanh."""

    def __init__(self, spec: ModelSpec, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(spec.symbols, width)
        # Two LSTMs of one layer each: between the layers of one LSTM, cuDNN's dropout draws from
        # a generator of its own, whose state cannot be saved and resumed.
        self.lower = nn.LSTM(width, width, batch_first=True)
        self.upper = nn.LSTM(width, width, batch_first=True)
        self.dropout = Dropout(spec.dropout)
        self.mix = Activated(
            lambda out: nn.Linear(width, out),
            width,
            spec.activation,
            fan_in=width,
            fan_out=spec.symbols,
        )
        self.head = nn.Linear(self.mix.width, spec.symbols, bias=False)

    def forward(self, codes: Tensor) -> Tensor:
        below = self.dropout(recur(self.lower, self.tokens(codes)))
        recurrent = recur(self.upper, below)
        out: Tensor = self.head(self.mix(self.dropout(recurrent)))
        return out


def build(spec: ModelSpec) -> nn.Module:
    """Build TinyLSTM; the width of its LSTM matches its parameter count to CharLM's.

    The other layers keep torch's initial weights: with N(0, 0.02) embeddings, the gates
    start near their middle, and the model predicts unigram frequencies for a long time.
    """
    return TinyLSTM(spec, matched_width(TinyLSTM, spec)).apply(initialise_lstm)
