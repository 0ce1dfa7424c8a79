"""All measures by id, with their descriptions in results files."""

from __future__ import annotations

import math

from actrepro.measures.generated import GENERATED, GENERATED_ID
from actrepro.measures.groups import GROUP_MEASURES
from actrepro.measures.measure import Measure
from actrepro.measures.pairs import PAIR_MEASURES
from actrepro.measures.runs import RUN_MEASURES
from actrepro.measures.shapes import Measure as Described
from actrepro.predict.store import POSITIONS

PRIMARY = "tv-half_l1-pairs.all"

OF_TEXT: tuple[Measure, ...] = (*RUN_MEASURES, *PAIR_MEASURES, *GROUP_MEASURES)
BY_ID: dict[str, Measure] = {measure.id: measure for measure in OF_TEXT}
# Seen from the second run to the first, a good change is a bad one.
MIRRORED = {"churn-good-pairs": "churn-bad-pairs", "churn-bad-pairs": "churn-good-pairs"}


def run_measure_ids() -> list[str]:
    """Return the ids of all measures of one run, on every set of positions."""
    return [f"{measure.id}.{positions}" for measure in RUN_MEASURES for positions in POSITIONS]


def measure_ids() -> list[str]:
    """Return the ids of all measures of two runs, on every set of positions and generated text."""
    of_text = [f"{measure.id}.{positions}" for measure in PAIR_MEASURES for positions in POSITIONS]
    return [*of_text, GENERATED_ID]


def group_measure_ids() -> list[str]:
    """Return the ids of all measures of several runs, on every set of positions."""
    return [f"{measure.id}.{positions}" for measure in GROUP_MEASURES for positions in POSITIONS]


def mirror(id_: str) -> str:
    """Return the id of the measure that has from b to a the value that `id_` has from a to b."""
    measure, _, positions = id_.partition(".")
    return f"{MIRRORED.get(measure, measure)}.{positions}"


def is_agreement(id_: str) -> bool:
    """Check whether larger values of a measure mean more similar runs."""
    measure = BY_ID.get(id_.partition(".")[0])
    return measure is not None and measure.agreement


def measure_descriptions() -> dict[str, Described]:
    """Return name, formula, range and source of every measure, as in `stats.json`.

    An infinite end of a range is None.
    """
    of_text = {measure.id: _described(measure) for measure in OF_TEXT}
    return {**of_text, GENERATED_ID.partition(".")[0]: GENERATED}


def _described(measure: Measure) -> Described:
    return {
        "name": measure.name,
        "formula": measure.formula,
        "range": [None if math.isinf(end) else end for end in measure.range],
        "source": measure.source,
        "agreement": measure.agreement,
    }
