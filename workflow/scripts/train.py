from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.core.paths import seed_of
    from actrepro.train.startup import exit_now, start_torch

    requests = [
        RunConfig.model_validate({**snakemake.params.cell, "seed": seed})
        for seed in sorted({seed_of(path) for path in snakemake.output})
    ]
    start_torch(requests, snakemake.resources.jobs_per_gpu)
    from actrepro.train.runs import train_runs

    train_runs(
        requests,
        Path(snakemake.input.corpus),
        list(snakemake.output),
        save_state_seconds=snakemake.resources.save_state_seconds,
        threads=snakemake.threads,
    )

exit_now()
