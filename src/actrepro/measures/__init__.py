"""Measures of one run, of two, and of several: pure functions of probabilities.

The id of a difference reads `what-norm-over.positions`, for example
`tv-half_l1-pairs.all`: total variation, as half the L1 norm, over pairs of runs, on
every scored character. All measures compare probabilities of *the same* characters
given *the same* context, `p` `[M, N, V]` of M models on N positions.

A measure called with whole arrays returns values. Larger predictions are measured
chunk by chunk: add the `sums` of all chunks, then call `finish`.
"""

from __future__ import annotations

from actrepro.measures.bounds import certificate, churn_range
from actrepro.measures.catalogue import (
    BY_ID,
    PRIMARY,
    group_measure_ids,
    is_agreement,
    measure_descriptions,
    measure_ids,
    mirror,
    run_measure_ids,
)
from actrepro.measures.generated import GENERATED_ID, edit_differences
from actrepro.measures.groups import GROUP_MEASURES, leave_one_out_sums
from actrepro.measures.measure import (
    Floats,
    GroupMeasure,
    Measure,
    PairMeasure,
    Pairs,
    RunMeasure,
    Targets,
    all_pairs,
    entropy,
)
from actrepro.measures.pairs import PAIR_MEASURES
from actrepro.measures.runs import RUN_MEASURES, accuracy, loss
from actrepro.predict.store import CHUNK

__all__ = [
    "BY_ID",
    "CHUNK",
    "GENERATED_ID",
    "GROUP_MEASURES",
    "PAIR_MEASURES",
    "PRIMARY",
    "RUN_MEASURES",
    "Floats",
    "GroupMeasure",
    "Measure",
    "PairMeasure",
    "Pairs",
    "RunMeasure",
    "Targets",
    "accuracy",
    "all_pairs",
    "certificate",
    "churn_range",
    "edit_differences",
    "entropy",
    "group_measure_ids",
    "is_agreement",
    "leave_one_out_sums",
    "loss",
    "measure_descriptions",
    "measure_ids",
    "mirror",
    "run_measure_ids",
]
