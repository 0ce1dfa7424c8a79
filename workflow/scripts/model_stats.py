from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.statistics import model_statistics

    model_statistics(
        dict(snakemake.wildcards),
        snakemake.params.activations,
        snakemake.params.seeds,
        snakemake.params.confidence,
        [Path(path) for path in snakemake.input.differences],
        Path(snakemake.input.matrices),
        [Path(path) for path in snakemake.input.records],
        Path(snakemake.input.evaluation),
        Path(snakemake.output[0]),
    )
