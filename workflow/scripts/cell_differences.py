from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.runs import by_seed
    from actrepro.measures.differences import cell_differences

    cell_differences(
        dict(snakemake.wildcards),
        by_seed(snakemake.input.predictions, snakemake.params.seeds),
        Path(snakemake.input.evaluation),
        Path(snakemake.output[0]),
    )
