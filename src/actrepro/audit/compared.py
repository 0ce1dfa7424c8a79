"""Two cells of own results compared, with an interval, for checks to judge.

Activations of one model are compared within seeds, as `stats.json` does. Other cells
(models, scales) have no seeds in common: their difference has both their errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeVar

import scipy.special

from actrepro.audit.claims import Claim
from actrepro.audit.findings import NOT_TESTABLE, Finding, MissingError, Number, found
from actrepro.audit.registry import Context
from actrepro.audit.results import ModelResults, Place
from actrepro.audit.words import gates_of
from actrepro.config.names import activation_names
from actrepro.core.errors import ActreproError
from actrepro.core.formats import interval, signed
from actrepro.results.verdicts import MOST_SEEDS, alpha
from actrepro.statistics.contrasts import Settings
from actrepro.statistics.inference import Estimate, tost_p
from actrepro.statistics.power import seeds_to_settle

LOSS = "loss.all"
Known = TypeVar("Known")


@dataclass(frozen=True)
class Cell:
    """A cell or several of one model at one scale; without activations, all that were run."""

    scale: str
    model: str
    activations: tuple[str, ...]
    label: str

    @property
    def place(self) -> Place:
        """Its scale and model."""
        return self.scale, self.model


@dataclass(frozen=True)
class Compared:
    """The difference of two cells, a − b.

    `sd` is the standard deviation of such a difference between seeds, for planning.
    """

    label: str
    estimate: Estimate
    sd: float | None
    margin: float | None
    p_equivalent: float | None
    confidence: float
    numbers: tuple[Number, ...]

    def at_level(self, family: int) -> tuple[float, float] | None:
        """Return its interval corrected for a family of comparisons (Bonferroni).

        The interval of `stats.json`, stretched by the ratio of Student's quantiles:
        exact where it is over seeds, and too wide where it is over text as well.
        """
        if self.estimate.interval is None:
            return None
        freedom, level = self.estimate.n - 1, alpha(self.confidence)
        stretch = float(
            scipy.special.stdtrit(freedom, 1 - level / family / 2)
            / scipy.special.stdtrit(freedom, 1 - level / 2)
        )
        low, high = self.estimate.interval
        value = self.estimate.value
        return value - stretch * (value - low), value + stretch * (high - value)

    def told_for_equivalence(self, family: int) -> str:
        """Write it with the interval of the test of equivalence: 90% for a single comparison.

        It lies within the margin where both one-sided tests are significant, corrected for
        the family of comparisons (Schuirmann 1987).
        """
        error, level = self.estimate.standard_error, alpha(self.confidence) / family
        if error is None:
            return self.told()
        reach = float(scipy.special.stdtrit(self.estimate.n - 1, 1 - level)) * error
        bounds = interval((self.estimate.value - reach, self.estimate.value + reach))
        confidence = f"{100 * (1 - 2 * level):.3g}"
        return f"{self.label} {signed(self.estimate.value)} ({confidence}% interval {bounds})"

    def shown_equivalent(self, family: int) -> bool:
        """Return True if it is shown to be within the margin, corrected for the family."""
        p = self.p_equivalent
        return p is not None and p * family < alpha(self.confidence)

    def seeds(self, family: int) -> int:
        """Return the fewest seeds that would settle it; one beyond the search where none would."""
        if self.sd is None or self.margin is None:
            return MOST_SEEDS + 1
        level = alpha(self.confidence)
        fewest = seeds_to_settle(self.estimate.value, self.sd, self.margin, level, family).either
        return MOST_SEEDS + 1 if fewest is None else fewest

    @property
    def failed_gates(self) -> tuple[str, ...]:
        """Gates that any of its cells failed."""
        return gates_of(self.numbers)

    def told(self) -> str:
        """`relu − gelu +0.0036 [−0.0083, 0.0155]`."""
        bounds = self.estimate.interval
        return f"{self.label} {signed(self.estimate.value)} {interval(bounds)}"


def cell(claim: Claim, name: str, model: str | None = None) -> Cell:
    """The cell that a check names: `relu`, `charlm`, `full/charlm` or `full/charlm/relu`.

    Parts that are not named are the claim's.

    Raises
    ------
    ActreproError
        When neither says the scale or the model.
    """
    parts = name.split("/")
    if len(parts) == 1:
        of_activation = name in activation_names()
        parts = [claim.scale or "", (model or claim.model or "") if of_activation else name]
        parts += [name] if of_activation else []
    if len(parts) not in (2, 3) or not all(parts):
        raise ActreproError(
            f"claim {claim.id}: '{name}' names no cell: expected an activation or a model of the "
            "claim's own scale, or scale/model or scale/model/activation"
        )
    activations = (parts[2],) if len(parts) == 3 else claim.activations
    return Cell(parts[0], parts[1], activations, name)


def place_of(claim: Claim) -> Place:
    """Return the claim's scale and model.

    Raises
    ------
    ActreproError
        When the claim lacks one of them.
    """
    if claim.scale is None or claim.model is None:
        raise ActreproError(f"claim {claim.id}: its check needs the row's scale and model")
    return claim.scale, claim.model


def own_results(claim: Claim, context: Context, activations: Sequence[str] = ()) -> ModelResults:
    """Return the results of the claim's model at its scale, with all these activations.

    Raises
    ------
    ActreproError
        When the claim has no scale or no model.
    MissingError
        When they were not run.
    """
    return context.results.having(*place_of(claim), activations)


def needed(cells: Iterable[Cell]) -> dict[Place, tuple[str, ...]]:
    """Return the activations that some cells need, by scale and model."""
    wanted: dict[Place, tuple[str, ...]] = {}
    for one in cells:
        wanted[one.place] = tuple(dict.fromkeys((*wanted.get(one.place, ()), *one.activations)))
    return wanted


def usable(context: Context, place: Place, activation: str, number: Known | None) -> Known:
    """Return what results have of a cell.

    Raises
    ------
    MissingError
        When they have nothing, since no run of the cell can be compared.
    """
    if number is None:
        why = f"no run with {activation} can be compared"
        raise MissingError(context.results.without(*place, why))
    return number


def whole_loss(
    context: Context, place: Place, activation: str
) -> tuple[float, Number, list[Number]]:
    """Return a cell's loss on the whole validation text, as the earlier study scored it.

    It is the mean of the losses on its two halves, which are equally long: the test half,
    and the selection half, on which each run has a loss. Both are returned too.

    Raises
    ------
    MissingError
        When a half has no loss.
    """
    model = context.results.models[place]
    test = usable(context, place, activation, model.score(activation, LOSS))
    selection = usable(
        context, place, activation, model.at_the_end(activation, "selection_loss") or None
    )
    return (test.value + fmean(one.value for one in selection)) / 2, test, selection


def undecided(claim: Claim, context: Context, says: str, *numbers: Number) -> Finding:
    """Return the finding where a control decides nothing: the row's own runs must, if possible."""
    if claim.scale is None or claim.model is None:
        return found(NOT_TESTABLE, says, *numbers)
    missing = context.results.missing({(claim.scale, claim.model): ()})
    if missing is None:
        own = context.results.models[claim.scale, claim.model]
        says = f"{says} Own runs tell of this row."
        return found(NOT_TESTABLE, says, *numbers, files=(own.file,))
    says = f"{missing.evidence[0].says} {says}"
    return found(missing.verdict, says, *numbers, settles=missing.settles)


def results_of(context: Context, one: Cell) -> ModelResults:
    """The results of a cell that is not missing."""
    return context.results.models[one.place]


def activations_of(context: Context, one: Cell) -> tuple[str, ...]:
    """The activations that a cell stands for."""
    return one.activations or results_of(context, one).activations


def compare(context: Context, a: Cell, b: Cell, measure: str) -> Compared | None:
    """Return the difference a − b at the final step; None where it cannot be computed."""
    singles = len(a.activations) == len(b.activations) == 1
    if a.place == b.place and singles:
        return _contrast(context, a, b, measure)
    return _of_means(context, a, b, measure)


def average(parts: Sequence[Compared], label: str) -> Compared:
    """Return the mean of several differences with independent errors, as those of models are."""
    errors = [one.estimate.standard_error for one in parts]
    value = math.fsum(one.estimate.value for one in parts) / len(parts)
    n = min(one.estimate.n for one in parts)
    error = None if None in errors else math.hypot(*filter(None, errors), 0.0) / len(parts)
    numbers = tuple(number for one in parts for number in one.numbers)
    first = parts[0]
    return _from_error(label, value, error, n, first.margin, first.confidence, numbers)


def _contrast(context: Context, a: Cell, b: Cell, measure: str) -> Compared | None:
    results = results_of(context, a)
    left, right = a.activations[0], b.activations[0]
    number = results.contrast(measure, left, right)
    if number is None:
        return None
    entry = results.all_of_contrast(measure, left, right)
    bounds = None if number.low is None or number.high is None else (number.low, number.high)
    return Compared(
        f"{a.label} − {b.label}",
        Estimate(number.value, entry["n"], entry["standard_error"], bounds),
        entry["sd"],
        entry["margin"],
        entry["p_equivalent"],
        results.stats["confidence"],
        (number,),
    )


def _of_means(context: Context, a: Cell, b: Cell, measure: str) -> Compared | None:
    left, right = mean_of_cell(context, a, measure), mean_of_cell(context, b, measure)
    if left is None or right is None:
        return None
    stats = results_of(context, a).stats
    errors = (left[0].standard_error, right[0].standard_error)
    error = None if errors[0] is None or errors[1] is None else math.hypot(errors[0], errors[1])
    return _from_error(
        f"{a.label} − {b.label}",
        left[0].value - right[0].value,
        error,
        min(left[0].n, right[0].n),
        Settings(stats["confidence"], stats["margins"]).margin(measure),
        stats["confidence"],
        (*left[1], *right[1]),
    )


def mean_of_cell(
    context: Context, one: Cell, measure: str
) -> tuple[Estimate, tuple[Number, ...]] | None:
    """Return a cell's value, or the mean over its activations, and the numbers behind it.

    Activations share their seeds: the mean's error is taken for the mean of theirs, which
    it cannot exceed.
    """
    results = results_of(context, one)
    entries, numbers = [], []
    for activation in activations_of(context, one):
        number = results.number(activation, measure)
        if number is None:
            return None
        entries.append(results.cell(activation)[results.part_of(activation, measure)][measure])
        numbers.append(number)
    errors = [entry["standard_error"] for entry in entries]
    value = math.fsum(number.value for number in numbers) / len(numbers)
    error = None if None in errors else math.fsum(errors) / len(errors)
    n = min(entry["n"] for entry in entries)
    return _estimate(value, error, n, results.stats["confidence"]), tuple(numbers)


def _from_error(
    label: str,
    value: float,
    error: float | None,
    n: int,
    margin: float | None,
    confidence: float,
    numbers: tuple[Number, ...],
) -> Compared:
    estimate = _estimate(value, error, n, confidence)
    p = None if margin is None else tost_p(estimate, margin)
    sd = None if error is None else error * math.sqrt(n)
    return Compared(label, estimate, sd, margin, p, confidence, numbers)


def _estimate(value: float, error: float | None, n: int, confidence: float) -> Estimate:
    if error is None or n < 2:
        return Estimate(value, n, None, None)
    reach = float(scipy.special.stdtrit(n - 1, (1 + confidence) / 2)) * error
    return Estimate(value, n, error, (value - reach, value + reach))


def relabelled(one: Compared, label: str) -> Compared:
    """The same difference under another name."""
    return replace(one, label=label)


def measure_name(context: Context, place: Place, measure: str) -> str:
    """Return a measure's name in words, as in `stats.json`."""
    return name_in(context.results.models[place], measure)


def name_in(results: ModelResults, measure: str) -> str:
    """A measure as a model's `stats.json` calls it in words."""
    named = results.stats.get("measures", {}).get(measure.partition(".")[0], {})
    return str(named.get("name", measure))
