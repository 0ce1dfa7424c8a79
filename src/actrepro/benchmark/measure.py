"""Timing: rounds in which everything has its turn, so that a slow minute hits all alike.

Nothing here imports torch. A process inherits the peak memory of the one that starts it,
so that one has to be small.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actrepro.benchmark.plan import Plan, has_peer, of_seeds
from actrepro.benchmark.processes import Finished, Lost, Program, ask, side_by_side
from actrepro.config.study import RunConfig

LOG = logging.getLogger("actrepro")
PRODUCT_SECONDS = 0.25

# How runs are timed together.
OURS, PLAIN = "ours", "plain loop"


@dataclass(frozen=True)
class Timing:
    """What runs took that were started together.

    Attributes
    ----------
    device
        A GPU's name, or `cpu`.
    parameters
        Of the model.
    characters
        Training text of all runs.
    training_seconds
        In the training loop, evaluation included: of the slowest process.
    job_seconds
        From the start of the processes until the last had left.
    outside_seconds
        Of a process outside the training loop, the mean of all.
    peak_memory_bytes, peak_gpu_memory_bytes
        Of all processes together; the second is None where none has a GPU.
    selection_loss
        At the end, nats per character, the mean of all processes.
    """

    device: str
    parameters: int
    characters: int
    training_seconds: float
    job_seconds: float
    outside_seconds: float
    peak_memory_bytes: int
    peak_gpu_memory_bytes: int | None
    selection_loss: float

    @classmethod
    def of(cls, ended: Sequence[Finished]) -> Timing:
        """From what the processes said."""
        said = [one.said for one in ended]
        gpus = [one["peak_gpu_memory_bytes"] for one in said]
        outside = [one.seconds - one.said["training_seconds"] for one in ended]
        return cls(
            device=said[0]["device"],
            parameters=said[0]["parameters"],
            characters=sum(one["characters"] for one in said),
            training_seconds=max(one["training_seconds"] for one in said),
            job_seconds=max(one.seconds for one in ended),
            outside_seconds=sum(outside) / len(outside),
            peak_memory_bytes=sum(one["peak_memory_bytes"] for one in said),
            peak_gpu_memory_bytes=None if None in gpus else sum(gpus),
            selection_loss=sum(one["selection_loss"] for one in said) / len(said),
        )


@dataclass(frozen=True)
class Timed:
    """What is timed: a run, of which side, in how many processes at once, how often in each."""

    run: RunConfig
    side: str
    jobs: int
    runs_per_job: int = 1

    @property
    def key(self) -> str:
        """The same for what need not be timed twice."""
        return f"{self.side} {self.jobs} × {self.runs_per_job} {key_of(self.run)}"


def key_of(run: RunConfig) -> str:
    """The same for equal runs; a run itself cannot be looked up, since it holds mappings."""
    return run.model_dump_json()


Outcome = Timing | Lost
# By mode and product: GFLOP/s of all processes together.
Peak = dict[str, dict[str, float]]


@dataclass
class Measurements:
    """All that was measured.

    Attributes
    ----------
    peaks
        By precision, a peak per round.
    flops
        Operations per character of a training step, by `key_of` the run.
    outcomes
        By `Timed.key`, an outcome per round.
    """

    peaks: dict[str, list[Peak]] = field(default_factory=dict)
    flops: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)


def timed_of(plan: Plan) -> list[Timed]:
    """Everything that is timed in a round, once, in its order."""
    every = [
        *(one for run in plan.cells() for one in sides(plan, run)),
        *(Timed(run, OURS, 1) for runs in plan.grown().values() for run in runs),
        *(Timed(plan.base(), OURS, jobs) for jobs in plan.crowds()),
    ]
    return list({one.key: one for one in every}.values())


def sides(plan: Plan, run: RunConfig) -> list[Timed]:
    """A cell's run, and right after it the plain loop's, where it has the model."""
    both = (OURS, PLAIN) if has_peer(run) else (OURS,)
    return [Timed(run, side, plan.jobs_at_once, plan.runs_per_job(run)) for side in both]


def measure(plan: Plan) -> Measurements:
    """Count operations, then time everything, round by round.

    Raises
    ------
    ActreproError
        When the operations cannot be counted or the machine's peak not be measured. A run
        that fails is recorded with its reason instead.
    """
    timed = timed_of(plan)
    found = Measurements(flops=_count(plan, [one.run for one in timed]))
    for number in range(plan.config.settings.rounds):
        LOG.info("round %d of %d", number + 1, plan.config.settings.rounds)
        for precision in plan.precisions():
            found.peaks.setdefault(precision, []).append(_peak(plan, precision))
        for one in timed:
            outcome = time_together(plan, one)
            found.outcomes.setdefault(one.key, []).append(outcome)
            _tell(one, outcome)
    return found


def _count(plan: Plan, runs: Iterable[RunConfig]) -> dict[str, float]:
    asked = {
        key_of(run): {"run": run.model_dump(mode="json"), "corpus": plan.corpus(run)}
        for run in runs
    }
    [counts] = ask([Program("flops", (), plan.cores, json.dumps(list(asked.values())))])
    return dict(zip(asked, counts, strict=True))


def _peak(plan: Plan, precision: str) -> Peak:
    """Products in one process alone; on a CPU also in one per core, and on all as threads."""
    modes = {"alone": (1, 1)}
    if plan.device == "cpu":
        modes |= {"processes": (plan.cores, 1), "threads": (1, plan.cores)}
    return {mode: _products(plan, precision, *counts) for mode, counts in modes.items()}


def _products(plan: Plan, precision: str, processes: int, threads: int) -> dict[str, float]:
    names = plan.products()
    arguments = (plan.device, precision, str(threads), str(PRODUCT_SECONDS), *names)
    said = ask([Program("gemm", arguments, threads)] * processes)
    return {name: sum(one[name] for one in said) for name in names}


def _tell(one: Timed, outcome: Outcome) -> None:
    sizes = one.run.protocol
    what = (
        f"{one.run.name} ({sizes.layers} × {sizes.width}, context {sizes.context}), "
        f"{one.side}: {one.jobs} × {one.runs_per_job}"
    )
    if isinstance(outcome, Lost):
        LOG.warning("%s: not measured: %s", what, outcome.why)
        return
    speed = outcome.characters / outcome.training_seconds
    LOG.info("%s: %s characters/s", what, f"{speed:,.0f}")


def time_together(plan: Plan, one: Timed) -> Outcome:
    """Start the runs, wait for their end, and say what they took."""
    with tempfile.TemporaryDirectory() as scratch:
        start = {OURS: _ours, PLAIN: _plain}[one.side]
        ended = side_by_side(start(plan, one, Path(scratch)))
    return ended if isinstance(ended, Lost) else Timing.of(ended)


def _ours(plan: Plan, one: Timed, scratch: Path) -> list[Program]:
    """A process and a thread for each job, as the workflow has them."""
    # One GPU is to take them all.
    fixed = (str(scratch), str(one.jobs), str(plan.config.save_state_seconds))
    seeds = range(one.jobs * one.runs_per_job)
    jobs = [seeds[job :: one.jobs] for job in range(one.jobs)]
    return [
        Program(
            "ours",
            (
                plan.corpus(one.run),
                *fixed,
                *(run.model_dump_json() for run in of_seeds(one.run, own)),
            ),
            threads=1,
        )
        for own in jobs
    ]


def _plain(plan: Plan, one: Timed, scratch: Path) -> list[Program]:
    """One process with all cores as threads, and in it run after run."""
    protocol = one.run.protocol
    options = {
        "corpus": plan.corpus(one.run),
        "activation": one.run.activation,
        "layers": protocol.layers,
        "width": protocol.width,
        "heads": protocol.heads,
        "context": protocol.context,
        "batch": protocol.batch,
        "iterations": protocol.iterations,
        "learning-rate": protocol.learning_rate,
        "dropout": protocol.dropout,
        "evaluate-every": protocol.evaluate_every,
        "windows": protocol.history_windows,
        "runs": one.jobs * one.runs_per_job,
        "threads": plan.cores,
        "device": plan.device,
        "precision": protocol.precision,
        "out": scratch / "plain.pt",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return [Program("plain", arguments, plan.cores)]
