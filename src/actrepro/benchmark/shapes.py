"""The shape of the benchmark's file, `training.json`."""

from __future__ import annotations

from pydantic import JsonValue
from typing_extensions import TypedDict

from actrepro.core.shapes import Count, GitState, Machine, Name, closed


@closed
class Spread(TypedDict):
    """A quantity over the rounds; null for a round, or for all, that was not measured."""

    median: float | None
    low: float | None
    high: float | None
    rounds: list[float | None]


@closed
class Peak(TypedDict):
    """The machine's speed in matrix products, GFLOP/s, by mode and product."""

    gflops_by_product: dict[str, dict[str, float]]
    gflops: dict[str, float]
    one_process: float
    machine: float


@closed
class Sized(TypedDict):
    """A run that was timed, and its sizes."""

    scale: Name
    model: Name
    activation: Name
    layers: Count
    width: Count
    heads: Count
    context: Count
    batch: Count
    dropout: float
    precision: str
    steps: Count
    evaluate_every: Count
    history_windows: Count
    flops_per_character: float


@closed
class Times(TypedDict):
    """The quantities of runs that were timed together; `why` has the reasons of lost rounds."""

    why: str | None
    training_characters_per_second: Spread
    job_characters_per_second: Spread
    seconds_outside_training: Spread
    peak_memory_bytes: Spread
    peak_gpu_memory_bytes: Spread
    selection_loss: Spread


@closed
class Speeds(Times):
    """The same with the arithmetic done, and its share of the machine's peak."""

    gflops: Spread
    share_of_peak: Spread


@closed
class NoPeer(TypedDict):
    """Why the plain loop was not timed."""

    why: str


@closed
class Ratio(TypedDict):
    """Speed as a multiple of the plain loop's."""

    training: Spread
    jobs: Spread


@closed
class TimedCell(Sized):
    """A run timed beside the plain loop, where that trains the model."""

    runs_per_job: Count
    parameters: Count | None
    ours: Speeds
    plain: Times | NoPeer
    ratio: Ratio | None


@closed
class Grown(Speeds):
    """One run by itself, of another size."""

    value: Count
    steps: Count
    flops_per_character: float
    parameters: Count | None
    seconds_per_step: Spread


@closed
class Crowd(Speeds):
    """Several runs side by side."""

    value: Count


@closed
class Growth(TypedDict):
    """Growth of cost with a model's sizes and with the number of runs."""

    base: Sized
    width: list[Grown]
    layers: list[Grown]
    context: list[Grown]
    runs: list[Crowd]


@closed
class Settings(TypedDict):
    """The values of the config's `benchmark`, key by key."""

    models: list[Name]
    activations: list[Name]
    scales: list[Name]
    characters: Count
    runs_per_job: Count
    rounds: Count
    growth: dict[str, JsonValue]


@closed
class Provenance(TypedDict):
    """On what the benchmark ran."""

    machine: Machine
    packages: dict[str, str]
    git: GitState


@closed
class Measured(TypedDict):
    """All that was measured, and how."""

    version: int
    settings: Settings
    device: str
    device_name: str | None
    cores: Count
    jobs_at_once: Count
    peak: dict[str, Peak]
    cells: list[TimedCell]
    growth: Growth


@closed
class TrainingBenchmark(Measured):
    """`training.json`."""

    share_of_others: float | None
    provenance: Provenance
