from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.statistics.per_scale import scale_statistics

    scale_statistics(
        snakemake.wildcards.scale,
        snakemake.params.study,
        [Path(path) for path in snakemake.input],
        Path(snakemake.output[0]),
    )
