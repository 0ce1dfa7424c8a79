"""The benchmark's peer: a plain training loop, a whole program in one file.

    python -m actrepro.benchmark.programs.plain --corpus results/corpora/tinyshakespeare/corpus.npz

trains a GPT with CharLM's sizes the way it is written without this library, following
nanoGPT (Karpathy 2022, on a CPU: `--device=cpu --compile=False`): torch's own layers,
attention, dropout and AdamW; batches stacked from slices of the text; all cores as threads
of one process; one run after another. It prints one line of JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.core.errors import ActreproError
from actrepro.core.machine import peak_memory_bytes
from actrepro.data.corpus import load_corpus
from actrepro.models.activations import get_activation

PRECISIONS = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class Settings:
    """The program's arguments; by default the scale `cpu`."""

    corpus: str
    activation: str = "gelu"
    layers: int = 2
    width: int = 128
    heads: int = 4
    context: int = 128
    batch: int = 32
    iterations: int = 100
    learning_rate: float = 3e-4
    dropout: float = 0.2
    evaluate_every: int = 50
    windows: int = 64
    runs: int = 1
    threads: int = 1
    device: str = "cpu"
    precision: str = "fp32"
    out: str = "plain.pt"


class Attention(nn.Module):
    """Causal self-attention by torch's own kernel."""

    def __init__(self, s: Settings) -> None:
        super().__init__()
        self.heads = s.heads
        self.drop = s.dropout
        self.qkv = nn.Linear(s.width, 3 * s.width)
        self.project = nn.Linear(s.width, s.width)
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        q, k, v = (part.view(split).transpose(1, 2) for part in self.qkv(x).split(width, dim=2))
        drop = self.drop if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True)
        joined = mixed.transpose(1, 2).reshape(batch, length, width)
        out: Tensor = self.dropout(self.project(joined))
        return out


class MLP(nn.Module):
    """Expand to four times the width, activate, contract, drop out."""

    def __init__(self, s: Settings, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.expand = nn.Linear(s.width, 4 * s.width)
        self.function = function
        self.contract = nn.Linear(4 * s.width, s.width)
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.contract(self.function(self.expand(x))))
        return out


class Block(nn.Module):
    """Attention and MLP, each behind a LayerNorm and beside a residual path."""

    def __init__(self, s: Settings, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(s.width)
        self.attention = Attention(s)
        self.norm_mlp = nn.LayerNorm(s.width)
        self.mlp = MLP(s, function)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_attention(x))
        out: Tensor = x + self.mlp(self.norm_mlp(x))
        return out


class GPT(nn.Module):
    """Learned positions, pre-LN blocks, an untied head: as many parameters as CharLM.

    Raises
    ------
    ActreproError
        For a gated activation, which this MLP does not support.
    """

    def __init__(self, s: Settings, symbols: int) -> None:
        super().__init__()
        activation = get_activation(s.activation)
        if activation.gated:
            raise ActreproError(
                f"activation '{s.activation}' is gated; the plain loop's MLP takes ungated ones"
            )
        self.tokens = nn.Embedding(symbols, s.width)
        self.positions = nn.Embedding(s.context, s.width)
        self.blocks = nn.ModuleList(Block(s, activation.function) for _ in range(s.layers))
        self.norm = nn.LayerNorm(s.width)
        self.head = nn.Linear(s.width, symbols, bias=False)
        self.apply(_initialise)

    def forward(self, codes: Tensor) -> Tensor:
        positions = torch.arange(codes.shape[1], device=codes.device)
        x = self.tokens(codes) + self.positions(positions)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.head(self.norm(x))
        return out


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


class Run:
    """One run: its model, its optimiser, and the two texts."""

    def __init__(self, s: Settings, seed: int) -> None:
        torch.manual_seed(seed)
        corpus = load_corpus(Path(s.corpus))
        self.s = s
        self.device = torch.device(s.device)
        self.train_text = torch.from_numpy(corpus.train)
        self.selection_text = torch.from_numpy(corpus.selection)
        self.model = GPT(s, len(corpus.symbols)).to(self.device)
        cuda = self.device.type == "cuda"
        # Built before the clock starts: its first call imports torch's compiler.
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=s.learning_rate, fused=cuda or None
        )
        self.best = math.inf

    def train(self) -> float:
        """Train to the last step; return the last loss on selection text, nats per character."""
        loss = self._evaluate()
        for step in range(1, self.s.iterations + 1):
            self._update(*self._batch(self.train_text, self.s.batch))
            if step % self.s.evaluate_every == 0 or step == self.s.iterations:
                loss = self._evaluate()
        return loss

    def _batch(self, text: Tensor, size: int) -> tuple[Tensor, Tensor]:
        length = self.s.context
        starts: list[int] = torch.randint(len(text) - length, (size,)).tolist()
        codes = torch.stack([text[i : i + length].long() for i in starts])
        targets = torch.stack([text[i + 1 : i + 1 + length].long() for i in starts])
        return codes.to(self.device), targets.to(self.device)

    def _loss(self, codes: Tensor, targets: Tensor) -> Tensor:
        with self._precision():
            logits = self.model(codes)
            return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))

    def _precision(self) -> AbstractContextManager[None]:
        narrow = self.s.precision == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=narrow)

    def _update(self, codes: Tensor, targets: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._loss(codes, targets)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()

    @torch.no_grad()
    def _evaluate(self) -> float:
        """Evaluate random windows of both texts; save the weights if selection text improved."""
        self.model.eval()
        _, loss = (self._mean_loss(text) for text in (self.train_text, self.selection_text))
        self.model.train()
        if loss < self.best:
            self.best = loss
            torch.save(self.model.state_dict(), self.s.out)
        return loss

    def _mean_loss(self, text: Tensor) -> float:
        total = 0.0
        for start in range(0, self.s.windows, self.s.batch):
            size = min(self.s.batch, self.s.windows - start)
            total += size * self._loss(*self._batch(text, size)).item()
        return total / self.s.windows


def main(arguments: list[str] | None = None) -> None:
    """Train `--runs` runs one after another, and print their time and memory."""
    s = _settings(arguments)
    torch.set_num_threads(s.threads)
    torch.backends.cuda.matmul.allow_tf32 = s.precision == "tf32"
    seconds, loss, parameters = 0.0, math.nan, 0
    for seed in range(s.runs):
        run = Run(s, seed)
        started = time.perf_counter()
        loss = run.train()
        seconds += time.perf_counter() - started
        parameters = sum(parameter.numel() for parameter in run.model.parameters())
    cuda = s.device == "cuda"
    print(
        json.dumps(
            {
                "device": torch.cuda.get_device_name() if cuda else "cpu",
                "parameters": parameters,
                "characters": s.runs * s.iterations * s.batch * s.context,
                "training_seconds": seconds,
                "selection_loss": loss,
                "peak_memory_bytes": peak_memory_bytes(),
                "peak_gpu_memory_bytes": torch.cuda.max_memory_allocated() if cuda else None,
            }
        )
    )


def _settings(arguments: list[str] | None) -> Settings:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, choices in _options():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=str if default is dataclasses.MISSING else type(default),
            default=default,
            required=default is dataclasses.MISSING,
            choices=choices,
        )
    return Settings(**vars(parser.parse_args(arguments)))


def _options() -> Iterator[tuple[str, object, tuple[str, ...] | None]]:
    choices = {"precision": PRECISIONS, "device": ("cpu", "cuda")}
    for field in dataclasses.fields(Settings):
        yield field.name, field.default, choices.get(field.name)


if __name__ == "__main__":
    main()
