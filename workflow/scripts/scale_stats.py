from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.results.tables import COLUMNS, scale_tables

    scale_tables(
        snakemake.wildcards.scale,
        snakemake.params.study,
        [Path(path) for path in snakemake.input.stats],
        dict(zip(snakemake.params.models, map(Path, snakemake.input.matrices), strict=True)),
        Path(snakemake.output.stats),
        {name: Path(snakemake.output[name]) for name in COLUMNS},
        Path(snakemake.output.summary),
    )
