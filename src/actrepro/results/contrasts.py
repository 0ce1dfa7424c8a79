"""What a scale's tests found, from the contrasts in `stats.json`."""

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
# How pages call the checkpoint rules under which activations are compared.
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
        Its key in `margins` of `stats.json`.
    unit
        Of what readers see; accuracy is shown in percentage points.
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
        """What a stored value is multiplied with to be shown."""
        return 100 if self.unit == "points" else 1

    def margin(self, stats: Stats) -> str:
        """The largest difference that counts as none, in words."""
        found = stats["margins"][self.margin_name] * self.scale
        return f"±{found:g} {self.unit}".rstrip()

    def signed(self, value: float | None) -> str:
        """A difference as readers see it."""
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
    """All contrasts of a metric in a model: the family that Holm's correction is over."""
    contrasts = stats["models"][model]["rules"][rule]["contrasts"]
    return [contrast for contrast in contrasts if contrast["metric"] == metric]


def contrasts_of(stats: Stats, metric: str, rule: Rule = FINAL) -> list[tuple[str, Contrast]]:
    """All contrasts of a metric, with their model."""
    return [
        (model, contrast)
        for model in stats["models"]
        for contrast in family(stats, model, metric, rule)
    ]


def verdict_of(contrast: Contrast) -> str:
    """A contrast's verdict in a word, also where nothing could be tested."""
    return str(contrast["verdict"] or UNTESTED)


def verdict_counts(stats: Stats, metric: str, rule: Rule = FINAL) -> dict[str, int]:
    """How many contrasts end with each verdict; untested ones only where there are any."""
    found = [verdict_of(contrast) for _, contrast in contrasts_of(stats, metric, rule)]
    counts = {verdict: found.count(verdict) for verdict in (*VERDICTS, UNTESTED)}
    return {verdict: count for verdict, count in counts.items() if count or verdict != UNTESTED}


def loss_gap(stats: Stats, model: str, contrast: Contrast, rule: Rule) -> float | None:
    """Test loss of a less that of b, over the seeds that both have, under a checkpoint rule."""
    pair = contrast["a"], contrast["b"]
    losses = family(stats, model, LOSS, rule)
    [found] = [one["value"] for one in losses if (one["a"], one["b"]) == pair]
    return found


def alpha(stats: Stats) -> float:
    """The level that a corrected p-value must stay below."""
    return verdicts.alpha(stats["confidence"])


def omnibus_p(stats: Stats, metric: str, rule: Rule = FINAL) -> dict[str, float]:
    """By model, p that its activations are all alike, adjusted for the models; where tested."""
    found = stats["omnibus"][rule][metric]
    return {model: float(one["p_holm"]) for model, one in found.items()}
