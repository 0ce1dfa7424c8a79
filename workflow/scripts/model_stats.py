from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.statistics.contrasts import Settings
    from actrepro.statistics.per_model import model_statistics

    model_statistics(
        dict(snakemake.wildcards),
        snakemake.params.activations,
        snakemake.params.seeds,
        Settings(snakemake.params.confidence, snakemake.params.margins),
        [Path(path) for path in snakemake.input.differences],
        Path(snakemake.input.matched),
        Path(snakemake.input.matched_differences),
        Path(snakemake.input.matrices),
        [Path(path) for path in snakemake.input.records],
        Path(snakemake.input.gates),
        Path(snakemake.input.gates_after),
        Path(snakemake.input.evaluation),
        Path(snakemake.output[0]),
    )
