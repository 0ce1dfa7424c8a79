from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import RunConfig
    from actrepro.quickstart import leave_at_once, start_torch

    request = RunConfig.model_validate(snakemake.params.run)
    start_torch([request], snakemake.resources.jobs_per_card)
    from actrepro.training import RunOutputs, train_run

    names = ("checkpoint", "snapshots", "history", "record")
    train_run(
        request,
        Path(snakemake.input.corpus),
        RunOutputs(*(Path(snakemake.output[name]) for name in names)),
        Path(snakemake.params.state),
        snapshot_seconds=snakemake.resources.snapshot_seconds,
        threads=snakemake.threads,
    )

leave_at_once()
