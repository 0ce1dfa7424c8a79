"""The audit's job: from the table of claims and results files to `claims.json` and `claims.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from actrepro.audit.claims import read_table
from actrepro.audit.recorded import with_records
from actrepro.audit.results import read_results
from actrepro.audit.table import claims_csv
from actrepro.audit.verdicts import audit_json, judge_all
from actrepro.config.study import Study
from actrepro.core.files import write_json, write_text
from actrepro.replication.archive import read_records


def write_verdicts(
    study: Study,
    claims_folder: Path,
    stats: Sequence[Path],
    controls: Sequence[Path],
    facts: Path | None,
    output: Path,
    csv_output: Path,
    records: Sequence[Path] = (),
) -> None:
    """Judge every claim by the results at hand, and write `claims.json` and `claims.csv`.

    Parameters
    ----------
    claims_folder
        `resources/claims`.
    stats
        `stats.json` of models, those that exist.
    controls
        Files of the controls that were run.
    facts
        `facts.json`, or None.
    records
        Folders of records; one that cannot be used is logged and ignored.

    Raises
    ------
    ActreproError
        When the table of claims or a results file is not as it must be.
    """
    table = read_table(claims_folder)
    made_here = read_results(study, stats, controls, facts)
    results = with_records(made_here, read_records(records))
    audit = audit_json(table, results, judge_all(table, results), claims_folder)
    write_json(output, audit)
    write_text(csv_output, claims_csv(audit))
