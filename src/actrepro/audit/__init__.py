"""The audit: a verdict on every claim of the earlier study, with the evidence for it.

The claims are in `resources/claims/`, each with its checks and tolerances. A check is a function of
a claim and of results; it gives a verdict and its evidence. Nobody writes a verdict.
"""

from __future__ import annotations
