from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.train.startup import exit_now, start_torch

    requests = [RunConfig.model_validate(run) for run in snakemake.params.runs]
    start_torch(requests, snakemake.resources.jobs_per_card)
    from actrepro.predict.predictor import predict_cell

    predict_cell(
        requests,
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        [Path(path) for path in snakemake.input.checkpoints],
        [Path(path) for path in snakemake.output],
        threads=snakemake.threads,
    )

exit_now()
