"""Paths of the audit's files, as patterns; a name in braces stands for one part."""

from __future__ import annotations

from actrepro.core.paths import AUDIT_SECTION, RESULTS

AUDIT = f"{RESULTS}/audit"
CONTROL = f"{AUDIT}/controls/{{control}}.json"
FACTS = f"{AUDIT}/facts.json"
CLAIMS_JSON = f"{AUDIT}/claims.json"
CLAIMS_TABLE = f"{AUDIT}/claims.csv"
AUDIT_PAGE = f"{AUDIT}/audit.html"
SECTION = AUDIT_SECTION
