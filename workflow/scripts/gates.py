from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.train.startup import exit_now, start_torch

    requests = [RunConfig.model_validate(run) for run in snakemake.params.runs]
    start_torch(requests, snakemake.resources.jobs_per_gpu)
    from actrepro.gates.before import check_model

    check_model(
        requests,
        Path(snakemake.input.corpus),
        Path(snakemake.output[0]),
        threads=snakemake.threads,
    )

exit_now()
