"""Timing in rounds, each of which measures everything, so that a slow minute affects all alike.

Nothing here imports torch: a process inherits the peak memory of the process that starts it,
so the latter has to be small.
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

# The side that trains a run: this library or the plain loop.
OURS, PLAIN = "ours", "plain loop"


@dataclass(frozen=True)
class Timing:
    """Time and memory of processes that were started together.

    Attributes
    ----------
    device
        The GPU's name, or `cpu`.
    parameters
        Parameters of the model.
    characters
        Training text of all runs.
    training_seconds
        Time of the slowest process in the training loop, with evaluation.
    job_seconds
        Time from the start of the processes until the last one had ended.
    outside_seconds
        Time of a process outside the training loop, the mean over processes.
    peak_memory_bytes, peak_gpu_memory_bytes
        Memory of all processes together; the second is None on a CPU.
    selection_loss
        Loss at the end, nats per character, the mean over processes.
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
        """Combine what the processes printed with the times that they took."""
        outputs = [process.output for process in ended]
        gpu_memory = [output["peak_gpu_memory_bytes"] for output in outputs]
        outside = [process.seconds - process.output["training_seconds"] for process in ended]
        return cls(
            device=outputs[0]["device"],
            parameters=outputs[0]["parameters"],
            characters=sum(output["characters"] for output in outputs),
            training_seconds=max(output["training_seconds"] for output in outputs),
            job_seconds=max(process.seconds for process in ended),
            outside_seconds=sum(outside) / len(outside),
            peak_memory_bytes=sum(output["peak_memory_bytes"] for output in outputs),
            peak_gpu_memory_bytes=None if None in gpu_memory else sum(gpu_memory),
            selection_loss=sum(output["selection_loss"] for output in outputs) / len(outputs),
        )


@dataclass(frozen=True)
class Timed:
    """Something to time: a run, the side that trains it, the processes, and the runs in each."""

    run: RunConfig
    side: str
    jobs: int
    runs_per_job: int = 1

    @property
    def key(self) -> str:
        """A key that is equal for equal timings, which are made once."""
        return f"{self.side} {self.jobs} × {self.runs_per_job} {key_of(self.run)}"


def key_of(run: RunConfig) -> str:
    """Return a key that is equal for equal runs; a run is not hashable, since it holds mappings."""
    return run.model_dump_json()


Outcome = Timing | Lost
# GFLOP/s of all processes together, by mode and product.
Peak = dict[str, dict[str, float]]


@dataclass
class Measurements:
    """All measurements.

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
    """Return everything to time in a round, once, in order."""
    every = [
        *(timed for run in plan.cells() for timed in sides(plan, run)),
        *(Timed(run, OURS, 1) for runs in plan.grown().values() for run in runs),
        *(Timed(plan.base(), OURS, jobs) for jobs in plan.crowds()),
    ]
    return list({timed.key: timed for timed in every}.values())


def sides(plan: Plan, run: RunConfig) -> list[Timed]:
    """Return a cell's run and, where the plain loop has the model, its run right after."""
    both = (OURS, PLAIN) if has_peer(run) else (OURS,)
    return [Timed(run, side, plan.jobs_at_once, plan.runs_per_job(run)) for side in both]


def measure(plan: Plan) -> Measurements:
    """Count operations, then time everything, round by round.

    Raises
    ------
    ActreproError
        When the operations cannot be counted, or the machine's peak cannot be measured.
        A run that fails is recorded with its reason instead.
    """
    every = timed_of(plan)
    measured = Measurements(flops=_count(plan, [timed.run for timed in every]))
    for number in range(plan.config.settings.rounds):
        LOG.info("round %d of %d", number + 1, plan.config.settings.rounds)
        for precision in plan.precisions():
            measured.peaks.setdefault(precision, []).append(_peak(plan, precision))
        for timed in every:
            outcome = time_together(plan, timed)
            measured.outcomes.setdefault(timed.key, []).append(outcome)
            _log(timed, outcome)
    return measured


def _count(plan: Plan, runs: Iterable[RunConfig]) -> dict[str, float]:
    """Count operations per character, by `key_of` the run."""
    requests = {
        key_of(run): {"run": run.model_dump(mode="json"), "corpus": plan.corpus(run)}
        for run in runs
    }
    [counts] = ask([Program("flops", (), plan.cores, json.dumps(list(requests.values())))])
    return dict(zip(requests, counts, strict=True))


def _peak(plan: Plan, precision: str) -> Peak:
    """Time products in a single process; on a CPU also in one per core, and with all threads."""
    modes = {"alone": (1, 1)}
    if plan.device == "cpu":
        modes |= {"processes": (plan.cores, 1), "threads": (1, plan.cores)}
    return {mode: _products(plan, precision, *counts) for mode, counts in modes.items()}


def _products(plan: Plan, precision: str, processes: int, threads: int) -> dict[str, float]:
    names = plan.products()
    arguments = (plan.device, precision, str(threads), str(PRODUCT_SECONDS), *names)
    outputs = ask([Program("gemm", arguments, threads)] * processes)
    return {name: sum(output[name] for output in outputs) for name in names}


def _log(timed: Timed, outcome: Outcome) -> None:
    sizes = timed.run.protocol
    what = (
        f"{timed.run.name} ({sizes.layers} × {sizes.width}, context {sizes.context}), "
        f"{timed.side}: {timed.jobs} × {timed.runs_per_job}"
    )
    if isinstance(outcome, Lost):
        LOG.warning("%s: not measured: %s", what, outcome.why)
        return
    speed = outcome.characters / outcome.training_seconds
    LOG.info("%s: %s characters/s", what, f"{speed:,.0f}")


def time_together(plan: Plan, timed: Timed) -> Outcome:
    """Start the processes at once, wait for the last, and return time and memory."""
    with tempfile.TemporaryDirectory() as scratch:
        programs = {OURS: _ours, PLAIN: _plain}[timed.side]
        ended = side_by_side(programs(plan, timed, Path(scratch)))
    return ended if isinstance(ended, Lost) else Timing.of(ended)


def _ours(plan: Plan, timed: Timed, scratch: Path) -> list[Program]:
    """Return a process with one thread for each job, as in the workflow."""
    # A GPU may be shared by all of them, so that they start at once.
    fixed = (str(scratch), str(timed.jobs), str(plan.config.save_state_seconds))
    seeds = range(timed.jobs * timed.runs_per_job)
    jobs = [seeds[job :: timed.jobs] for job in range(timed.jobs)]
    return [
        Program(
            "ours",
            (
                plan.corpus(timed.run),
                *fixed,
                *(run.model_dump_json() for run in of_seeds(timed.run, job_seeds)),
            ),
            threads=1,
        )
        for job_seeds in jobs
    ]


def _plain(plan: Plan, timed: Timed, scratch: Path) -> list[Program]:
    """Return one process with all cores as threads, which trains the runs one by one."""
    protocol = timed.run.protocol
    options = {
        "corpus": plan.corpus(timed.run),
        "activation": timed.run.activation,
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
        "runs": timed.jobs * timed.runs_per_job,
        "threads": plan.cores,
        "device": plan.device,
        "precision": protocol.precision,
        "out": scratch / "plain.pt",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return [Program("plain", arguments, plan.cores)]
