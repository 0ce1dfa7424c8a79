"""Is a difference shown to be smaller than one that matters? Two one-sided tests."""

from __future__ import annotations

import scipy.special

from actrepro.results.verdicts import DIFFERENT, EQUIVALENT, INCONCLUSIVE
from actrepro.statistics.inference import Estimate


def tost_p(estimate: Estimate, margin: float) -> float | None:
    """p of the hypothesis that the difference is as large as the margin (Schuirmann 1987).

    Two one-sided tests with n − 1 degrees of freedom: that the difference
    is at most −margin, and that it is at least +margin. The larger p counts. None
    without a standard error. With one of exactly zero, 0 within the margin and 1 outside.
    """
    error = estimate.standard_error
    if error is None:
        return None
    # The nearer bound has the larger p.
    room = margin - abs(estimate.value)
    if error == 0:
        return 0.0 if room > 0 else 1.0
    return float(scipy.special.stdtr(estimate.n - 1, -room / error))


def verdict(*, p_different: float | None, p_equivalent: float | None, alpha: float) -> str:
    """Call a contrast "equivalent", "different" or "inconclusive", from p-values adjusted by Holm.

    Equivalence comes first: a difference that is shown to be smaller than the
    margin is, by the margin fixed beforehand, no difference that matters, even
    where it is significantly not zero (the caller records that beside it).
    That no difference was found is never equivalence: neither shown is
    "inconclusive".
    """
    if p_equivalent is not None and p_equivalent < alpha:
        return EQUIVALENT
    if p_different is not None and p_different < alpha:
        return DIFFERENT
    return INCONCLUSIVE
