"""The summary's sentences on contrasts: verdicts, seeds that would settle them, and limits."""

from __future__ import annotations

from actrepro.core.formats import counted, interval, level, listed, p_value, signed, spread
from actrepro.measures import PRIMARY
from actrepro.report.sections.answer import IN_WORDS, omnibus_line
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
    """Count the verdicts of each measure, under each checkpoint rule."""
    if len(stats["activations"]) < 2:
        return "There is one activation only, so there is nothing to compare."
    sentences = [
        counts_line(stats, compared) for compared in COMPARED if compared.metric in IN_WORDS
    ]
    different = [
        _contrast_words(compared, model, contrast)
        for compared in COMPARED
        for model, contrast in contrasts_of(stats, compared.metric)
        if contrast["verdict"] == DIFFERENT
    ]
    if different:
        sentences.append(f"Different at the fixed step: {listed(different, MOST_NAMED)}.")
    return " ".join(filter(None, [*sentences, omnibus_line(stats), _possible(stats)]))


def counts_line(stats: Stats, compared: Compared) -> str:
    """Count one measure's verdicts, at the fixed step and, if shown, at matched loss."""
    name = compared.name.capitalize()
    parts = [f"{AT[rule]}: {_counted(stats, compared, rule)}" for rule in compared.rules]
    return f"{name} {'; '.join(parts)}."


def _counted(stats: Stats, compared: Compared, rule: ComparedRule) -> str:
    counts = verdict_counts(stats, compared.metric, rule)
    within = {EQUIVALENT: f"equivalent (within {compared.margin(stats)})"}
    numbers = ", ".join(f"{count} {within.get(name, name)}" for name, count in counts.items())
    return f"of {counted(sum(counts.values()), 'contrast')} {numbers}"


def _contrast_words(compared: Compared, model: str, contrast: Contrast) -> str:
    digits = 4 if compared.scale == 1 else 2
    bounds = [end * compared.scale for end in contrast["interval"] or ()]
    return (
        f"{model} {contrast['a']} − {contrast['b']} in {compared.name} "
        f"{compared.signed(contrast['value'])} {interval(bounds or None, digits)}, "
        f"p {p_value(contrast['p_holm'])}"
    )


def _possible(stats: Stats) -> str:
    """Return the range that the inconclusive intervals leave open."""
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
        f"{alike}: the uncorrected {level(stats['confidence'])} intervals of the inconclusive "
        f"differences in total variation reach from {signed(min(ends), 3)} to "
        f"{signed(max(ends), 3)}."
    )


def settling(stats: Stats) -> str:
    """Return the seeds that would settle the inconclusive contrasts of the primary measure."""
    [primary] = [compared for compared in COMPARED if compared.metric == PRIMARY]
    parts = (_settling(stats, rule) for rule in primary.rules)
    sentences = " ".join(filter(None, parts))
    if not sentences:
        return ""
    return (
        f"In total variation, {sentences[0].lower()}{sentences[1:]} These numbers assume that the "
        f"differences and spreads seen here are the true ones, at 80% power; with few seeds they "
        f"are rough."
    )


def _settling(stats: Stats, rule: ComparedRule) -> str:
    settling_seeds = stats["undecided"][rule][PRIMARY]["together"]
    every, planned, settled = (
        settling_seeds["contrasts"],
        settling_seeds["planned"],
        settling_seeds["settled"],
    )
    if not planned:
        return ""
    seeds = settling_seeds["seeds"]
    parts = [f"{settled} would be settled by {_range_of_seeds(seeds)}"] if seeds else []
    if beyond := planned - settled:
        parts.append(f"{beyond} not by {MOST_SEEDS:,}")
    if unplanned := every - planned:
        parts.append(f"{unplanned} have too few seeds to tell")
    return (
        f"{AT[rule].capitalize()}, of {counted(every, 'inconclusive contrast')} "
        f"{listed(parts)}. {_present(stats, settling_seeds['detectable'])}"
    )


def _range_of_seeds(seeds: SeedEnds) -> str:
    if seeds["least"] == seeds["most"]:
        return f"{seeds['least']:,} seeds"
    return f"{seeds['least']:,} to {seeds['most']:,} seeds (median {seeds['median']:,})"


def _present(stats: Stats, sizes: SizeEnds | None) -> str:
    """Return the smallest differences that the present seeds could have shown."""
    seeds = counted(len(stats["seeds"]), "seed")
    if sizes is None:
        return (
            f"The present {seeds} could not have shown any difference between two activations, "
            f"however large."
        )
    shown = spread([sizes["least"], sizes["most"]], 4)
    return (
        f"The present {seeds} could have shown differences of {shown}, depending on the contrast."
    )


def warning(stats: Stats) -> str:
    """Warn of a study too small for claims, with the reason why no test could reach the level."""
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
    """State what the verdicts do not claim."""
    margins = listed([f"{compared.name} {compared.margin(stats)}" for compared in COMPARED])
    error = level(alpha(stats))
    few = (
        f" With fewer than {stats['recommended_seeds']} seeds even a verdict is a hint, not a "
        f"claim: spreads are themselves estimated from few numbers."
        if stats["smoke"]
        else ""
    )
    return (
        f"Equivalent means within the margin fixed before the study ({margins}), not equal; "
        f"different need not be large. The chance of a false verdict is held at {error} of each "
        f"kind within one model, measure and checkpoint rule, not over the whole page. At matched "
        f"loss, runs are as near in loss as their stored checkpoints allow; the tables list the "
        f"gaps, and equal loss is not equal sharpness everywhere. Nothing is claimed about models, "
        f"texts, sizes or training lengths that were not run.{few}"
    )
