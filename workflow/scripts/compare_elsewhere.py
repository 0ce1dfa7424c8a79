from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.paths import RESULTS
    from actrepro.replication.compare import ComparisonFiles, compare_scale

    compare_scale(
        snakemake.wildcards.scale,
        [tuple(run) for run in snakemake.params.runs],
        snakemake.params.confidence,
        ComparisonFiles(
            here=Path(RESULTS),
            there=Path(snakemake.params.there),
            evaluation=Path(snakemake.input.evaluation),
            elsewhere=Path(snakemake.output[0]),
        ),
    )
