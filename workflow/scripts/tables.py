from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.runs import by_model
    from actrepro.results.tables import COLUMNS, write_tables

    write_tables(
        Path(snakemake.input.stats),
        by_model(snakemake.input.matrices, snakemake.params.models),
        {name: Path(snakemake.output[name]) for name in COLUMNS},
    )
