from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import RunConfig
    from actrepro.quickstart import leave_at_once, start_torch

    request = RunConfig.model_validate(snakemake.params.run)
    start_torch([request])
    from actrepro.training import train_run

    train_run(
        request,
        Path(snakemake.input.corpus),
        Path(snakemake.output.checkpoint),
        Path(snakemake.output.snapshots),
        Path(snakemake.output.history),
        Path(snakemake.output.record),
        threads=snakemake.threads,
    )

leave_at_once()
