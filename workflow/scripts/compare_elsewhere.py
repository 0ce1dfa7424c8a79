from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.paths import RESULTS
    from actrepro.replication.compare import compare_scale

    compare_scale(
        snakemake.wildcards.scale,
        [tuple(run) for run in snakemake.params.runs],
        Path(RESULTS),
        Path(snakemake.params.there),
        Path(snakemake.input.evaluation),
        snakemake.params.confidence,
        Path(snakemake.output[0]),
    )
