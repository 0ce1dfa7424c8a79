"""Which runs are timed: cut to the text that the benchmark is given, or to another size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from actrepro.config.study import PEER_OF, VARIED, BenchmarkConfig, RunConfig
from actrepro.core.machine import cuda_usable

SQUARES = {"cpu": (512, 1024), "cuda": (2048, 4096, 8192)}


@dataclass(frozen=True)
class Plan:
    """What is measured, and on what.

    Attributes
    ----------
    config
        The benchmark's slice of the study.
    corpora
        Corpus files by name.
    cores
        How many may be kept busy.
    """

    config: BenchmarkConfig
    corpora: Mapping[str, Path]
    cores: int

    @property
    def device(self) -> str:
        """Where runs compute: `cpu` or `cuda`."""
        asked = self.config.base.device
        return asked if asked != "auto" else ("cuda" if cuda_usable() else "cpu")

    @property
    def jobs_at_once(self) -> int:
        """Processes side by side, as in the workflow: one per core, or as many as a GPU takes."""
        return self.cores if self.device == "cpu" else self.config.jobs_per_gpu

    def runs_per_job(self, run: RunConfig) -> int:
        """How many runs a process trains, as the workflow has them."""
        together = run.scale in self.config.trained_together
        return self.config.settings.runs_per_job if together else 1

    def cells(self) -> list[RunConfig]:
        """A run of each scale, model and activation, no longer than it need be."""
        return [cut(run, self.config.settings.characters) for run in self.config.runs]

    def grown(self) -> dict[str, list[RunConfig]]:
        """CharLM with one size changed, by which; evaluated as little as can be."""
        growth = self.config.settings.growth
        return {
            size: [
                unwatched(cut(resized(self.config.base, size, value), growth.characters))
                for value in getattr(growth, size)
            ]
            for size in VARIED
        }

    def base(self) -> RunConfig:
        """The run whose sizes are varied, as it is timed."""
        return unwatched(cut(self.config.base, self.config.settings.growth.characters))

    def crowds(self) -> list[int]:
        """How many runs stand side by side, to see what they cost each other."""
        asked = self.config.settings.growth.runs
        if self.device == "cuda":
            return sorted(asked)
        return sorted({min(runs, self.cores) for runs in asked})

    def precisions(self) -> list[str]:
        """In which runs multiply: each has a peak of its own."""
        return list(dict.fromkeys(run.protocol.precision for run in self._all()))

    def products(self) -> list[str]:
        """The matrix products that tell the peak: squares, and the first of each scale's MLP."""
        squares = [(size, size, size) for size in SQUARES[self.device]]
        protocols = [run.protocol for run in self._all()]
        layers = [(p.batch * p.context, p.width, 4 * p.width) for p in protocols]
        return [",".join(map(str, size)) for size in dict.fromkeys([*squares, *layers])]

    def corpus(self, run: RunConfig) -> str:
        """The path of a run's corpus."""
        return str(self.corpora[run.protocol.corpus])

    def _all(self) -> tuple[RunConfig, ...]:
        return (*self.config.runs, self.config.base)


def has_peer(run: RunConfig) -> bool:
    """Whether the plain loop trains the same model."""
    return run.model == PEER_OF


def cut(run: RunConfig, characters: int) -> RunConfig:
    """The run with no more steps than this text takes, one at least, nor than it had.

    It evaluates as often as before and less in proportion, so that evaluation has the share
    of the time that it has in the whole run.
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
    """The run with one of its sizes changed."""
    return _changed(run, **{size: value})


def unwatched(run: RunConfig) -> RunConfig:
    """The run with one window evaluated at its start and end, so that steps are all it does."""
    return _changed(run, evaluate_every=run.protocol.iterations, history_windows=1)


def of_seeds(run: RunConfig, seeds: Iterable[int]) -> list[RunConfig]:
    """The run from each of these seeds."""
    return [run.model_copy(update={"seed": seed}) for seed in seeds]


def _changed(run: RunConfig, **changes: int) -> RunConfig:
    return run.model_copy(update={"protocol": run.protocol.model_copy(update=changes)})
