from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import RunConfig
    from actrepro.training import train_run

    train_run(
        RunConfig.model_validate(snakemake.params.run),
        Path(snakemake.input.corpus),
        Path(snakemake.output.checkpoint),
        Path(snakemake.output.history),
        Path(snakemake.output.record),
        threads=snakemake.threads,
    )
