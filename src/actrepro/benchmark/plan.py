"""The runs to time: shortened to the benchmark's amount of text, or changed in size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from actrepro.config.study import PEER_OF, VARIED, BenchmarkConfig, RunConfig
from actrepro.core.machine import cuda_usable

SQUARES = {"cpu": (512, 1024), "cuda": (2048, 4096, 8192)}


@dataclass(frozen=True)
class Plan:
    """The measurements to make, and the machine's part that they may use.

    Attributes
    ----------
    config
        The benchmark's slice of the study.
    corpora
        Corpus files by name.
    cores
        Number of cores that may be kept busy.
    """

    config: BenchmarkConfig
    corpora: Mapping[str, Path]
    cores: int

    @property
    def device(self) -> str:
        """Device of the runs: `cpu` or `cuda`."""
        device = self.config.base.device
        return device if device != "auto" else ("cuda" if cuda_usable() else "cpu")

    @property
    def jobs_at_once(self) -> int:
        """Number of simultaneous processes, as in the workflow: one per core, or a GPU's share."""
        return self.cores if self.device == "cpu" else self.config.jobs_per_gpu

    def runs_per_job(self, run: RunConfig) -> int:
        """Return the number of runs that a process trains, as in the workflow."""
        together = run.scale in self.config.trained_together
        return self.config.settings.runs_per_job if together else 1

    def cells(self) -> list[RunConfig]:
        """Return a run of each scale, model and activation, cut to the benchmark's length."""
        return [cut(run, self.config.settings.characters) for run in self.config.runs]

    def grown(self) -> dict[str, list[RunConfig]]:
        """Return runs of CharLM by the size that is changed, evaluated as little as possible."""
        growth = self.config.settings.growth
        return {
            size: [
                unwatched(cut(resized(self.config.base, size, value), growth.characters))
                for value in getattr(growth, size)
            ]
            for size in VARIED
        }

    def base(self) -> RunConfig:
        """Return the run whose sizes are varied, as it is timed."""
        return unwatched(cut(self.config.base, self.config.settings.growth.characters))

    def crowds(self) -> list[int]:
        """Return the numbers of simultaneous runs, which show how they slow each other down."""
        numbers = self.config.settings.growth.runs
        if self.device == "cuda":
            return sorted(numbers)
        return sorted({min(runs, self.cores) for runs in numbers})

    def precisions(self) -> list[str]:
        """Return the precisions of the runs; each has a peak of its own."""
        return list(dict.fromkeys(run.protocol.precision for run in self._all()))

    def products(self) -> list[str]:
        """Return the products that measure the peak: squares, and the first of each scale's MLP."""
        squares = [(size, size, size) for size in SQUARES[self.device]]
        protocols = [run.protocol for run in self._all()]
        layers = [(p.batch * p.context, p.width, 4 * p.width) for p in protocols]
        return [",".join(map(str, size)) for size in dict.fromkeys([*squares, *layers])]

    def corpus(self, run: RunConfig) -> str:
        """Return the path of a run's corpus."""
        return str(self.corpora[run.protocol.corpus])

    def _all(self) -> tuple[RunConfig, ...]:
        return (*self.config.runs, self.config.base)


def has_peer(run: RunConfig) -> bool:
    """Check whether the plain loop can train the same model."""
    return run.model == PEER_OF


def cut(run: RunConfig, characters: int) -> RunConfig:
    """Shorten a run to the steps that a number of characters takes, at least one.

    It evaluates as many times as before, on proportionally fewer windows, so that evaluation
    takes the same share of the time as in the whole run.
    """
    protocol = run.protocol
    steps = max(1, min(protocol.iterations, characters // (protocol.batch * protocol.context)))
    share = steps / protocol.iterations
    return _changed(
        run,
        iterations=steps,
        evaluate_every=max(1, round(share * protocol.evaluate_every)),
        history_windows=max(1, round(share * protocol.history_windows)),
    )


def resized(run: RunConfig, size: str, value: int) -> RunConfig:
    """Change one of a run's sizes."""
    return _changed(run, **{size: value})


def unwatched(run: RunConfig) -> RunConfig:
    """Reduce a run's evaluation to one window at its start and end, so that only steps count."""
    return _changed(run, evaluate_every=run.protocol.iterations, history_windows=1)


def of_seeds(run: RunConfig, seeds: Iterable[int]) -> list[RunConfig]:
    """Return the run with each of these seeds."""
    return [run.model_copy(update={"seed": seed}) for seed in seeds]


def _changed(run: RunConfig, **changes: int) -> RunConfig:
    return run.model_copy(update={"protocol": run.protocol.model_copy(update=changes)})
