from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import RunConfig
    from actrepro.quickstart import leave_at_once, start_torch

    requests = [RunConfig.model_validate(run) for run in snakemake.params.runs]
    start_torch(requests, snakemake.resources.jobs_per_card)
    from actrepro.gates import check_model

    check_model(
        requests,
        Path(snakemake.input.corpus),
        Path(snakemake.output[0]),
        threads=snakemake.threads,
    )

leave_at_once()
