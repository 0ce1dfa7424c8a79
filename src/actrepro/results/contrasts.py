"""Results of a scale's tests, read from the contrasts in `stats.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actrepro.core.formats import signed
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL, MATCHED, Rule
from actrepro.results import verdicts
from actrepro.results.cells import Stats
from actrepro.results.schema import ComparedRule, MarginName
from actrepro.results.schema import Contrast as Contrast
from actrepro.results.verdicts import VERDICTS

CHURN = "churn-top1-pairs.all"
LOSS = "loss.all"
ACCURACY = "accuracy.all"
# Names, on pages, of the checkpoint rules under which activations are compared.
AT: Mapping[ComparedRule, str] = {FINAL: "at the fixed step", MATCHED: "at matched loss"}
UNTESTED = "not testable"


@dataclass(frozen=True)
class Compared:
    """A measure in which activations are compared down to a verdict.

    Attributes
    ----------
    metric
        Its id, with positions.
    name
        In words.
    margin_name
        Key of its margin in `margins` of `stats.json`.
    unit
        Unit of the shown values; accuracy is shown in percentage points.
    rules
        The checkpoint rules under which its contrasts are shown.
    """

    metric: str
    name: str
    margin_name: MarginName
    unit: str
    rules: tuple[ComparedRule, ...]

    @property
    def scale(self) -> int:
        """Factor from a stored value to the value that is shown."""
        return 100 if self.unit == "points" else 1

    def margin(self, stats: Stats) -> str:
        """Format the largest difference that counts as none."""
        margin = stats["margins"][self.margin_name] * self.scale
        return f"±{margin:g} {self.unit}".rstrip()

    def signed(self, value: float | None) -> str:
        """Format a difference with its sign, in the unit that is shown."""
        digits = 2 if self.scale == 100 else 4
        return signed(None if value is None else value * self.scale, digits)


# Sharpness moves every difference between predictions, so these are shown at equal loss too.
COMPARED = (
    Compared(PRIMARY, "total variation between seeds", "total_variation", "", (FINAL, MATCHED)),
    Compared(CHURN, "churn between seeds", "churn", "", (FINAL, MATCHED)),
    Compared(LOSS, "test loss", "loss", "nats", (FINAL,)),
    Compared(ACCURACY, "test accuracy", "accuracy", "points", (FINAL,)),
)


def family(stats: Stats, model: str, metric: str, rule: Rule = FINAL) -> list[Contrast]:
    """Return all contrasts of a metric in a model: the family of Holm's correction."""
    contrasts = stats["models"][model]["rules"][rule]["contrasts"]
    return [contrast for contrast in contrasts if contrast["metric"] == metric]


def contrasts_of(stats: Stats, metric: str, rule: Rule = FINAL) -> list[tuple[str, Contrast]]:
    """Return all contrasts of a metric, with their model."""
    return [
        (model, contrast)
        for model in stats["models"]
        for contrast in family(stats, model, metric, rule)
    ]


def verdict_of(contrast: Contrast) -> str:
    """Return a contrast's verdict as a word, also where nothing could be tested."""
    return str(contrast["verdict"] or UNTESTED)


def verdict_counts(stats: Stats, metric: str, rule: Rule = FINAL) -> dict[str, int]:
    """Count contrasts by verdict; untested ones only where there are any."""
    verdicts_found = [verdict_of(contrast) for _, contrast in contrasts_of(stats, metric, rule)]
    counts = {verdict: verdicts_found.count(verdict) for verdict in (*VERDICTS, UNTESTED)}
    return {verdict: count for verdict, count in counts.items() if count or verdict != UNTESTED}


def loss_gap(stats: Stats, model: str, contrast: Contrast, rule: Rule) -> float | None:
    """Return test loss of a minus that of b under a checkpoint rule, over the seeds of both."""
    pair = contrast["a"], contrast["b"]
    losses = family(stats, model, LOSS, rule)
    [gap] = [loss["value"] for loss in losses if (loss["a"], loss["b"]) == pair]
    return gap


def alpha(stats: Stats) -> float:
    """Return the level that a corrected p-value must stay below."""
    return verdicts.alpha(stats["confidence"])


def omnibus_p(stats: Stats, metric: str, rule: Rule = FINAL) -> dict[str, float]:
    """Return p that all activations are alike, by tested model, adjusted for the models."""
    tests = stats["omnibus"][rule][metric]
    return {model: float(test["p_holm"]) for model, test in tests.items()}
