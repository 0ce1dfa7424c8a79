"""The summary's sentences on contrasts: verdicts, what would settle them, what is not claimed."""

from __future__ import annotations

from actrepro.core.formats import counted, interval, level, listed, p_value, signed, spread
from actrepro.measures import PRIMARY
from actrepro.report.sections.answer import TOLD, at_all
from actrepro.results.cells import Stats
from actrepro.results.contrasts import (
    AT,
    COMPARED,
    Compared,
    Contrast,
    alpha,
    contrasts_of,
    verdict_counts,
)
from actrepro.results.schema import ComparedRule, SeedEnds, SizeEnds
from actrepro.results.verdicts import DIFFERENT, EQUIVALENT, INCONCLUSIVE, MOST_SEEDS
from actrepro.results.words import smoke_note

MOST_NAMED = 6


def verdicts(stats: Stats) -> str:
    """How many contrasts of each measure end in which verdict, under each checkpoint rule."""
    if len(stats["activations"]) < 2:
        return "There is one activation only, so there is nothing to compare."
    said = [counts_line(stats, compared) for compared in COMPARED if compared.metric in TOLD]
    different = [
        _told(compared, model, contrast)
        for compared in COMPARED
        for model, contrast in contrasts_of(stats, compared.metric)
        if contrast["verdict"] == DIFFERENT
    ]
    if different:
        said.append(f"Different at the fixed step: {listed(different, MOST_NAMED)}.")
    return " ".join(filter(None, [*said, at_all(stats), _possible(stats)]))


def counts_line(stats: Stats, compared: Compared) -> str:
    """One measure's verdicts, at the fixed step and, where it is shown, at matched loss."""
    name = compared.name.capitalize()
    parts = [f"{AT[rule]}: {_counted(stats, compared, rule)}" for rule in compared.rules]
    return f"{name} {'; '.join(parts)}."


def _counted(stats: Stats, compared: Compared, rule: ComparedRule) -> str:
    counts = verdict_counts(stats, compared.metric, rule)
    within = {EQUIVALENT: f"equivalent (within {compared.margin(stats)})"}
    told = ", ".join(f"{count} {within.get(name, name)}" for name, count in counts.items())
    return f"of {counted(sum(counts.values()), 'contrast')} {told}"


def _told(compared: Compared, model: str, contrast: Contrast) -> str:
    digits = 4 if compared.scale == 1 else 2
    bounds = [end * compared.scale for end in contrast["interval"] or ()]
    return (
        f"{model} {contrast['a']} − {contrast['b']} in {compared.name} "
        f"{compared.signed(contrast['value'])} {interval(bounds or None, digits)}, "
        f"p {p_value(contrast['p_holm'])}"
    )


def _possible(stats: Stats) -> str:
    """What the intervals leave open: inconclusive is no evidence of sameness."""
    ends = [
        end
        for _, contrast in contrasts_of(stats, PRIMARY)
        if contrast["verdict"] == INCONCLUSIVE
        for end in contrast["interval"] or ()
    ]
    alike = "Inconclusive, or a large p, is no evidence that activations are alike"
    if not ends:
        return f"{alike}."
    return (
        f"{alike}: the {level(stats['confidence'])} intervals of the inconclusive differences in "
        f"total variation, each for itself, reach from {signed(min(ends), 3)} to "
        f"{signed(max(ends), 3)}."
    )


def settling(stats: Stats) -> str:
    """How many seeds would settle the inconclusive contrasts of the primary measure."""
    [primary] = [compared for compared in COMPARED if compared.metric == PRIMARY]
    parts = (_settling(stats, rule) for rule in primary.rules)
    said = " ".join(filter(None, parts))
    if not said:
        return ""
    return (
        f"In total variation, {said[0].lower()}{said[1:]} These numbers take the differences and "
        f"spreads seen here for the true ones, and ask for 80% power; with few seeds they are "
        f"rough."
    )


def _settling(stats: Stats, rule: ComparedRule) -> str:
    found = stats["undecided"][rule][PRIMARY]["together"]
    every, planned, settled = (
        found["contrasts"],
        found["planned"],
        found["settled"],
    )
    if not planned:
        return ""
    seeds = found["seeds"]
    parts = [f"{settled} would be settled by {_range_of_seeds(seeds)}"] if seeds else []
    if beyond := planned - settled:
        parts.append(f"{beyond} not by {MOST_SEEDS:,}")
    if unplanned := every - planned:
        parts.append(f"{unplanned} have too few seeds to tell")
    return (
        f"{AT[rule].capitalize()}, of {counted(every, 'inconclusive contrast')} "
        f"{listed(parts)}. {_present(stats, found['detectable'])}"
    )


def _range_of_seeds(found: SeedEnds) -> str:
    if found["least"] == found["most"]:
        return f"{found['least']:,} seeds"
    return f"{found['least']:,} to {found['most']:,} seeds (median {found['median']:,})"


def _present(stats: Stats, sizes: SizeEnds | None) -> str:
    """What the seeds that there are could have found."""
    seeds = counted(len(stats["seeds"]), "seed")
    if sizes is None:
        return (
            f"The present {seeds} could not have shown any difference of two activations, however "
            f"large."
        )
    shown = spread([sizes["least"], sizes["most"]], 4)
    return f"The present {seeds} could have shown differences of {shown}, by contrast."


def warning(stats: Stats) -> str:
    """That a study is too small for claims, and why its tests could not have found anything."""
    reach, bound = stats["reach"], alpha(stats)
    smallest, corrected, together = reach["p"], reach["p_holm"], reach["p_omnibus"]
    if smallest is None or corrected is None or corrected < bound:
        return smoke_note(stats)
    seeds = counted(len(stats["seeds"]), "seed")
    at = f"the {level(bound)} level"
    needed = (
        f"With {counted(reach['contrasts'], 'contrast')} in a model, at least "
        f"{reach['seeds_needed']} seeds are needed for one to reach it after correction."
    )
    if smallest >= bound:
        cannot = (
            f"No contrast of two activations with {seeds} can reach significance at {at}, "
            f"whatever the data: the smallest p-value that its exact test can give is "
            f"{p_value(smallest)}."
        )
    else:
        cannot = (
            f"No contrast with {seeds} can reach significance at {at} after correction, whatever "
            f"the data: the smallest corrected p-value is {p_value(corrected)}."
        )
    at_once = together is not None and together < bound
    rest = "Only tests of all activations at once can." if at_once else ""
    return " ".join(filter(None, [smoke_note(stats), cannot, needed, rest]))


def not_claimed(stats: Stats) -> str:
    """What the verdicts do not say."""
    margins = listed([f"{one.name} {one.margin(stats)}" for one in COMPARED])
    error = level(alpha(stats))
    few = (
        f" With fewer than {stats['recommended_seeds']} seeds even a verdict is a hint and no "
        f"claim: spreads are themselves estimated from few numbers."
        if stats["smoke"]
        else ""
    )
    return (
        f"Equivalent means within the margin fixed before the study ({margins}), not equal; "
        f"different need not be large. The chance of a false verdict is held at {error} of each "
        f"kind within one model, measure and checkpoint rule, not over the whole page. At matched "
        f"loss, runs are as near in loss as their kept checkpoints allow; the gaps stand in the "
        f"tables, and equal loss is not equal sharpness everywhere. Nothing is said of models, "
        f"texts, sizes or training lengths that were not run.{few}"
    )
