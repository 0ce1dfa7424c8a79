"""The shape of `run.json`: what was asked of a training run, on what it ran, what came out."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from actrepro.core.shapes import Count, GitState, Machine, Name, Positive, Seed, Sha256, closed
from actrepro.core.vocabulary import Status


@closed
class Override(TypedDict):
    """Settings in which one model differs from its scale's protocol."""

    learning_rate: float | None
    dropout: float | None


@closed
class ProtocolValues(TypedDict):
    """The values of a `config` protocol, key by key."""

    corpus: Name
    layers: Count
    width: Count
    heads: Count
    context: Count
    batch: Count
    iterations: Count
    learning_rate: float
    dropout: float
    precision: Literal["fp32", "tf32", "bf16"]
    evaluate_every: Count
    history_windows: Count
    overrides: dict[Name, Override]


@closed
class RunAsked(TypedDict):
    """The values of a `RunConfig`, key by key."""

    scale: Name
    model: Name
    activation: Name
    seed: Seed
    protocol: ProtocolValues
    device: Literal["auto", "cpu", "cuda"]
    custom_models: dict[Name, str]


@closed
class RunHashes(TypedDict):
    """SHA-256 of a run's weights."""

    final: Annotated[Sha256, Field(description="At the final step.")]
    best: Annotated[Sha256, Field(description="At the best step.")]


@closed
class LastHistory(TypedDict):
    """A run's losses at its last step, on the history's fixed windows."""

    step: Annotated[Count, Field(description="The last step.")]
    train_loss: Annotated[
        float | None,
        Field(description="On training text, nats per character; null where it is no number."),
    ]
    selection_loss: Annotated[
        float | None, Field(description="On the selection text; null where it is no number.")
    ]


@closed
class RunRecord(TypedDict):
    """`run.json`."""

    run: str
    status: Status
    why: str | None
    config: RunAsked
    corpus_sha256: Sha256
    symbols: Count
    parameters: Count
    final_step: Count
    best_step: Count
    weights_sha256: RunHashes
    last_history: LastHistory | None
    seconds: Positive
    characters_per_second: Positive
    sequences_at_once: Count
    taken_up_at: list[Count]
    peak_memory_bytes: Count
    peak_gpu_memory_bytes: Count | None
    device: str
    threads: Count
    machine: Machine
    packages: dict[str, str]
    git: GitState
    # A run that was trained outside the workflow has none.
    identity_sha256: NotRequired[Sha256]
