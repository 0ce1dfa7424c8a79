from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.results.tables import COLUMNS, write_tables

    write_tables(
        Path(snakemake.input.stats),
        dict(zip(snakemake.params.models, map(Path, snakemake.input.matrices), strict=True)),
        {name: Path(snakemake.output[name]) for name in COLUMNS},
    )
