from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.elsewhere import compare_scale
    from actrepro.paths import RESULTS

    compare_scale(
        snakemake.wildcards.scale,
        [tuple(run) for run in snakemake.params.runs],
        Path(RESULTS),
        Path(snakemake.params.there),
        Path(snakemake.input.evaluation),
        snakemake.params.confidence,
        Path(snakemake.output[0]),
    )
