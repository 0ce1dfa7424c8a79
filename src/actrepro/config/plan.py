"""A study's plan: the files of its runs, and the slice of the study that each job depends on.

The rules hand both to their jobs. A slice is plain data, and a job whose slice changes is stale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actrepro.config.study import RunConfig, Study
from actrepro.core import paths

Slice = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """The files and the jobs' slices of a study.

    Attributes
    ----------
    beside
        By scale, other studies whose runs the same rules make, in folders of their own.
    """

    study: Study
    beside: dict[str, Study] = field(default_factory=dict)

    def study_at(self, scale: str) -> Study:
        """Return the study whose models, activations and seeds are run at a scale."""
        return self.beside.get(scale, self.study)

    def files(self, pattern: str, **named: str) -> list[str]:
        """Return a path for each scale, model, activation and seed that is not named.

        Only wildcards that the pattern has are filled in.

        Parameters
        ----------
        pattern
            One of `actrepro.core.paths`.
        named
            Values of wildcards, such as those of a job.
        """
        if "scale" not in named:
            scales = self.study.scales
            return [path for scale in scales for path in self.files(pattern, scale=scale, **named)]
        part = self.study_at(named["scale"])
        values = {"model": part.models, "activation": part.activations, "seed": part.seeds}
        missing = {
            name: choices
            for name, choices in values.items()
            if name not in named and f"{{{name}}}" in pattern
        }
        return paths.each(paths.at(pattern, **named), **missing)

    def corpora(self, pattern: str) -> list[str]:
        """Return the path of each corpus that the study's scales use, once."""
        names = dict.fromkeys(self.study.protocol(scale).corpus for scale in self.study.scales)
        return paths.each(pattern, corpus=list(names))

    def run_names(self, scale: str) -> list[tuple[str, str, int]]:
        """Return the model, activation and seed of each run of a scale."""
        part = self.study_at(scale)
        return [
            (model, activation, seed)
            for model in part.models
            for activation in part.activations
            for seed in part.seeds
        ]

    def runs(self, scale: str, model: str, activation: str | None = None) -> list[Slice]:
        """Return the slices of a cell's runs, or of all of a model's, by activation and seed."""
        part = self.study_at(scale)
        activations = part.activations if activation is None else (activation,)
        return [
            _slice(part.run_config(scale, model, name, seed))
            for name in activations
            for seed in part.seeds
        ]

    def first_runs(self, scale: str, model: str) -> list[Slice]:
        """Return the slice of each activation's first run: gates look at fresh models."""
        activations = self.study_at(scale).activations
        return [self.runs(scale, model, activation)[0] for activation in activations]

    def cell(self, scale: str, model: str, activation: str) -> Slice:
        """Return the slice that a cell's runs share: that of a run without its seed."""
        run = _slice(self.study_at(scale).run_config(scale, model, activation, seed=0))
        return {key: value for key, value in run.items() if key != "seed"}

    def cards(self) -> list[Slice]:
        """Return a run of each scale of the config and model of the study, for model cards.

        It has the first activation. The device changes nothing on a card.
        """
        first = self.study.activations[0]
        runs = [
            self.study.run_config(scale, model, first, seed=0)
            for scale in self.study.protocols
            for model in self.study.models
        ]
        return [_slice(run.model_copy(update={"device": "auto"})) for run in runs]


def _slice(run: RunConfig) -> Slice:
    return run.model_dump(mode="json")
