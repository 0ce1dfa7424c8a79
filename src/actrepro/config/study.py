"""A study's config as types: every key, its type, its range, its meaning."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from actrepro.config.names import activation_names, model_names, nearest
from actrepro.config.protocol import (
    Benchmark,
    Corpus,
    FileCorpus,
    FileName,
    Margins,
    Names,
    Part,
    Protocol,
    ScaleFolder,
    Seeds,
    as_list,
)
from actrepro.core.errors import ActreproError
from actrepro.core.paths import folders_beside_scales

# The benchmark compares this model with a plain training loop, and varies these of its sizes.
PEER_OF = "charlm"
VARIED = ("width", "layers", "context")


class RunConfig(Part):
    """The slice of a study that one training run depends on."""

    scale: ScaleFolder
    model: FileName
    activation: FileName
    seed: int
    protocol: Protocol
    device: Literal["auto", "cpu", "cuda"]
    custom_models: dict[FileName, str]

    @property
    def name(self) -> str:
        """The run's name in logs and messages."""
        return f"{self.scale}/{self.model}/{self.activation}/seed{self.seed}"


class BenchmarkConfig(Part):
    """The slice of a study that its benchmark depends on."""

    settings: Benchmark
    runs: tuple[RunConfig, ...] = Field(description="A run of each measured cell.")
    base: RunConfig = Field(description="The run whose sizes are varied.")
    trained_together: tuple[str, ...]
    jobs_per_gpu: int
    save_state_seconds: int

    @property
    def models(self) -> list[str]:
        """Names of the models that it trains, sorted."""
        return sorted({run.model for run in (*self.runs, self.base)})

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora that its runs train on."""
        return tuple(dict.fromkeys(run.protocol.corpus for run in (*self.runs, self.base)))


class Study(Part):
    """A study: what to run (models × activations × seeds at each scale) and the definitions."""

    study: FileName = Field(description="A name for the report's title.")
    models: Names = Field(
        description="Files of `src/actrepro/models/zoo/`, and names of `custom_models`."
    )
    activations: Names = Field(
        description="The decorated functions of `src/actrepro/models/activations.py`."
    )
    seeds: Seeds = Field(
        description="One run per model, activation, scale and seed. Three make a smoke study; ten "
        "are recommended for claims."
    )
    scales: Names = Field(description="Some of the `protocols`.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Device that trains and predicts; `auto` uses CUDA where torch finds it.",
    )
    trained_together: Annotated[tuple[FileName, ...], BeforeValidator(as_list)] = Field(
        (),
        description="Scales at which one job trains all runs of a cell, one after another: for "
        "runs that take longer to start than to train.",
    )
    jobs_per_gpu: int = Field(
        1,
        ge=1,
        validation_alias=AliasChoices("jobs_per_gpu", "jobs_per_card"),
        description="Training jobs that share one GPU; `--resources gpu=` is this times the GPUs.",
    )
    save_state_seconds: int = Field(
        120,
        ge=0,
        validation_alias=AliasChoices("save_state_seconds", "snapshot_seconds"),
        description="Seconds of training that a killed job may lose; it changes no result.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")
    margins: Margins = Field(
        default_factory=lambda: Margins.model_validate({}),
        description="Largest differences that do not matter; fix them before you look at results.",
    )
    custom_models: dict[FileName, str] = Field(
        default_factory=dict,
        description="Your own models: a name, and the dotted path of a module on Python's path "
        "(`PYTHONPATH`) with a function `build(spec)`.",
    )
    elsewhere: Path | None = Field(
        None,
        description="The results folder of the same study made elsewhere: on another machine, "
        "with other versions, in another precision. Its runs are compared with this study's.",
    )
    corpora: dict[FileName, Corpus] = Field(description="Texts by name.")
    protocols: dict[FileName, Protocol] = Field(description="Scales by name.")
    audit: dict[str, Any] = Field(description="Runs that `snakemake audit` trains.")
    benchmark: Benchmark | None = Field(
        None, description="Measurements that `snakemake benchmark` makes."
    )
    record: FileName | None = Field(
        None, description="The name under which `snakemake record` stores the study's results."
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        refuse_unknown("models", self.models, self.known_models)
        refuse_unknown("activations", self.activations, activation_names())
        refuse_unknown("scales", self.scales, tuple(self.protocols))
        refuse_unknown("trained_together", self.trained_together, tuple(self.protocols))
        for scale, protocol in self.protocols.items():
            refuse_unknown(f"protocols.{scale}.corpus", (protocol.corpus,), tuple(self.corpora))
            refuse_unknown(
                f"protocols.{scale}.overrides", tuple(protocol.overrides), self.known_models
            )
        if self.benchmark:
            self._check_benchmark(self.benchmark)
        _refuse_shadowing(tuple(self.custom_models))
        _refuse_taken(self.protocols, folders_beside_scales())
        return self

    def _check_benchmark(self, benchmark: Benchmark) -> None:
        growth, scales = benchmark.growth, tuple(self.protocols)
        refuse_unknown("benchmark.models", benchmark.models, self.known_models)
        refuse_unknown("benchmark.activations", benchmark.activations, activation_names())
        refuse_unknown("benchmark.scales", benchmark.scales, scales)
        refuse_unknown("benchmark.growth.scale", (growth.scale,), scales)
        base = self.protocols[growth.scale]
        for key in VARIED:
            for size in getattr(growth, key):
                # A varied size must satisfy the protocol's own limits.
                try:
                    Protocol.model_validate({**base.model_dump(), key: size})
                except ValidationError as error:
                    reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
                    raise ValueError(f"benchmark.growth.{key}: found {size}: {reason}") from None

    @property
    def known_models(self) -> tuple[str, ...]:
        """Names of the built-in models and the user's own."""
        return (*model_names(), *self.custom_models)

    def refuse_taken(self, names: Iterable[str]) -> None:
        """Refuse a scale whose name is one of the workflow's targets.

        Raises
        ------
        ActreproError
            When there is one.
        """
        try:
            _refuse_taken(self.protocols, names)
        except ValueError as error:
            raise ActreproError(str(error)) from None

    def record_name(self) -> str:
        """Return the name under which the study's results are to be recorded.

        Raises
        ------
        ActreproError
            When the config has none.
        """
        if self.record is None:
            raise ActreproError(
                "record: found null, expected a name for the record of this study's results; "
                "name it: --config record=NAME"
            )
        return self.record

    def as_asked(self) -> dict[str, Any]:
        """Return the study's name and the settings that its numbers depend on, as in a config."""
        keys = {"study", "models", "activations", "seeds", "scales", "device"}
        settings = self.model_dump(mode="json", include={*keys, "confidence", "margins"})
        protocols = {scale: self.protocols[scale] for scale in self.scales}
        corpora = dict.fromkeys(protocol.corpus for protocol in protocols.values())
        return {
            **settings,
            "custom_models": {
                name: path for name, path in self.custom_models.items() if name in self.models
            },
            "corpora": {name: _portable(self.corpora[name]) for name in corpora},
            "protocols": {
                scale: protocol.model_dump(mode="json") for scale, protocol in protocols.items()
            },
        }

    def protocol(self, scale: str) -> Protocol:
        """Return the protocol of a scale."""
        return self.protocols[scale]

    def run_config(self, scale: str, model: str, activation: str, seed: int) -> RunConfig:
        """Return one run's slice of the study; changes elsewhere in the config do not affect it."""
        custom_models = {name: path for name, path in self.custom_models.items() if name == model}
        return RunConfig(
            scale=scale,
            model=model,
            activation=activation,
            seed=seed,
            protocol=self.protocol(scale).for_model(model),
            device=self.device,
            custom_models=custom_models,
        )

    def benchmark_config(self) -> BenchmarkConfig:
        """Return the benchmark's slice: a run of each cell, and the run whose sizes it varies.

        Raises
        ------
        ActreproError
            When the study has no benchmark.
        """
        settings = self.benchmark
        if settings is None:
            raise ActreproError(
                "benchmark: found null, expected its settings; remove the key to use the default "
                "study's"
            )
        first = settings.activations[0]
        cells = [(model, first) for model in settings.models]
        cells += [(PEER_OF, activation) for activation in settings.activations]
        return BenchmarkConfig(
            settings=settings,
            runs=tuple(
                self.run_config(scale, model, activation, 0)
                for scale in settings.scales
                for model, activation in dict.fromkeys(cells)
            ),
            base=self.run_config(settings.growth.scale, PEER_OF, first, 0),
            trained_together=self.trained_together,
            jobs_per_gpu=self.jobs_per_gpu,
            save_state_seconds=self.save_state_seconds,
        )


def _portable(corpus: Corpus) -> dict[str, Any]:
    """Return a corpus's settings without a folder of this machine."""
    settings = corpus.model_dump(mode="json")
    if isinstance(corpus, FileCorpus) and corpus.path.is_absolute():
        settings["path"] = corpus.path.name
    return settings


def refuse_unknown(key: str, names: tuple[str, ...], valid: tuple[str, ...]) -> None:
    """Raise ValueError where a key of the config has a name that is not valid."""
    for name in names:
        if name not in valid:
            raise ValueError(f"{key}: '{name}' is not known{nearest(name, valid)}")


def _refuse_shadowing(names: tuple[str, ...]) -> None:
    shadowing = sorted(set(names) & set(model_names()))
    if shadowing:
        raise ValueError(f"custom_models: {shadowing[0]} is a built-in model; choose another name")


def _refuse_taken(scales: Iterable[str], names: Iterable[str]) -> None:
    taken = sorted(set(scales) & set(names))
    if taken:
        raise ValueError(
            f"protocols: the workflow has a target or folder '{taken[0]}' of its own; "
            "choose another name for the scale"
        )
