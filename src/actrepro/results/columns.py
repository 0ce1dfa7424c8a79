"""Meaning of the rows and columns of each table, the source of `docs/reference/results.md`.

They are not in `actrepro.results.tables`, so a changed sentence makes no table stale.
"""

from __future__ import annotations

from collections.abc import Mapping

ROWS: Mapping[str, str] = {
    "runs": "A row per run and rule.",
    "pairs": "A row per two runs of a model and rule, across activations too. Differences go from "
    "a to b, where they have a direction.",
    "cells": "A row per cell, rule and measure.",
    "contrasts": "A row per two activations of a model, rule and measure. At `.last` only measures "
    "with a margin are compared.",
    "gates": "A row per cell, rule and gate. Gates before training are the same under every rule.",
    "across": "The activation's own effect on predictions beside the seed's: a row per two "
    "activations of a model, rule, measure of two runs, and kind.",
    "tests": "Whether activations differ at all, over the sound cells of a model and the seeds "
    "they share: a row per model, rule, measure and test, and of tests of all pairs one per pair.",
    "variance": "The variance of loss and of accuracy over the largest complete grid of sound "
    "cells of a scale: a row per rule, measure and source.",
}

_ESTIMATE = "`n`, `value`, `standard_error`, `low`, `high`"
_CELL = "`scale`, `model`, `activation`, `rule`"
_COMPARED = "`scale`, `model`, `rule`, `measure`"

# By table, rows of the reference: the columns (or kind of columns) and their meaning.
COLUMN_TEXTS: Mapping[str, Mapping[str, str]] = {
    "runs": {
        "`scale`, `model`, `activation`, `seed`, `rule`": "the run and its checkpoint",
        "`status`": "`finished`, `diverged` (a loss was no number) or `failed` (out of memory)",
        "`why`": "what happened to a run that diverged or failed, and at which step; of a finished "
        "one, why it cannot be compared under this rule; empty when it can",
        "`failed_gates`": "of its cell",
        "`step`": "of the checkpoint",
        "`weights_sha256`": "of its weights; empty for `matched`",
        "*ids of measures of single runs*": "its scores",
        "`parameters`": "trained numbers of the model",
        "`seconds`, `characters_per_second`": "of training",
        "`device`": "`cpu`, or the GPU's name",
    },
    "pairs": {
        "`scale`, `model`": "the model",
        "`activation_a`, `seed_a`, `activation_b`, `seed_b`": "the runs",
        "`rule`": "the checkpoint",
        "`failed_gates`": "of either cell",
        "*ids of measures of two runs*": "their differences; empty where a run cannot be compared",
    },
    "cells": {
        _CELL: "the cell and its checkpoint",
        "`measure`": "id",
        _ESTIMATE: "mean over seeds, over pairs of seeds, or the group's value",
        "`interval_over`": "`seeds and text` (two-way bootstrap; loss and accuracy at `all`) or "
        "`seeds` (Student of measures of single runs, jackknife of others)",
        "`sd`": "standard deviation over seeds (n − 1), of measures of single runs",
        "`failed_gates`": "of the cell",
        "`gates_passed`, `gates_asked`": "how many gates it passed, of how many",
    },
    "contrasts": {
        _COMPARED: "what is compared",
        "`a`, `b`": "the activations",
        _ESTIMATE: "a − b",
        "`interval_over`": "`seeds and text` or `seeds`, as in `cells.csv`",
        "`sd`": "standard deviation of one seed's contribution",
        "`test`": "the test behind `p`, in words; measures of groups have none",
        "`exact`": "whether all relabelings were tried",
        "`p`": "two-sided, that a and b are alike",
        "`p_smallest`": "the smallest p that n seeds can give",
        "`p_holm`": "`p` adjusted for its family",
        "`margin`": "largest difference that counts as none",
        "`p_equivalent`": "that the difference is as large as the margin (two one-sided tests)",
        "`p_equivalent_holm`": "the same adjusted for its family",
        "`significant`": "whether `p_holm` < α",
        "`verdict`": "as in [how to read results](../results.md#verdicts)",
        "`seeds_to_settle_different`": "seeds that would find this difference with 80% power; "
        "empty above 1,000",
        "`seeds_to_settle_equivalent`": "seeds that would show it to be within the margin; empty "
        "where none would",
        "`seeds_to_settle_either`": "the smaller of both",
        "`detectable`": "the smallest difference that n seeds find with 80% power; empty where the "
        "exact test cannot reach α",
        "`failed_gates`": "of either cell",
    },
    "gates": {
        _CELL: "the cell and its checkpoint",
        "`gate`, `passed`": "the gate, and whether its bound holds",
        "`measured`": "what was measured, as JSON",
        "`bound`": "what it was held against, in words",
    },
    "across": {
        _COMPARED: "what is compared",
        "`a`, `b`": "the activations",
        "`kind`": "`same_seed`: from a's run to b's with the same seed. `other_seed`: between runs "
        "of a and b with different seeds. `effect`: `other_seed` minus the mean of both cells' "
        "differences between seeds",
        _ESTIMATE: "the mean",
        "`failed_gates`": "of either cell",
    },
    "tests": {
        _COMPARED: "what is compared",
        "`test`": "`permutation` (labels within seeds), or a classical one: `one_way`, `welch`, "
        "`blocked`, `friedman`, `tukey`, `games_howell`",
        "`a`, `b`": "the pair, of `tukey` and `games_howell`",
        "`activations`, `n`": "those compared, with `;` between them; seeds",
        "`statistic`": "the test's; of a pair the difference of means, a − b",
        "`df`, `df_residual`": "degrees of freedom",
        "`p`": "that all are alike; of a pair adjusted for all pairs",
        "`p_holm`": "of `permutation`: `p` adjusted for the scale's models (Holm)",
        "`p_smallest`, `exact`": "of `permutation`: the smallest p there is, and whether all "
        "relabelings were gone through",
    },
    "variance": {
        "`scale`, `rule`, `measure`": "what varies",
        "`activations`, `models`, `n`": "the grid, with `;` between names, and its seeds",
        "`source`": "`activation`, `model`, `activation:model`, `seed` or `residual`",
        "`ss`, `df`, `ms`, `f`, `p`": "the analysis of variance, with seeds as random blocks",
        "`eta2`, `partial_eta2`, `omega2`": "shares of variance",
        "`icc`": "of `seed`: correlation of two runs of one seed",
    },
}
