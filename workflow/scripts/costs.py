from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.statistics.costs import write_costs

    write_costs(
        Path(snakemake.input.stats),
        Path(snakemake.input.models),
        Path(snakemake.output[0]),
    )
