"""The audit: a verdict on every claim of the earlier study, with the evidence for it.

What was claimed stands in `resources/claims/`, each claim with the checks it is put to
and the tolerance it is held to. A check is a function of
a claim and of results; it gives a verdict and its evidence. Nobody writes a verdict.
"""

from __future__ import annotations
