from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.measures.differences import cell_differences

    cell_differences(
        dict(snakemake.wildcards),
        snakemake.params.seeds,
        [Path(path) for path in snakemake.input.predictions],
        Path(snakemake.input.evaluation),
        Path(snakemake.output[0]),
    )
