from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.train.startup import exit_now, start_torch

    requests = [RunConfig.model_validate(run) for run in snakemake.params.runs]
    start_torch(requests, snakemake.resources.jobs_per_gpu)
    from actrepro.core.runs import by_seed
    from actrepro.predict.predictor import CellFiles, predict_cell

    seeds = [request.seed for request in requests]
    predict_cell(
        requests,
        CellFiles(
            corpus=Path(snakemake.input.corpus),
            evaluation=Path(snakemake.input.evaluation),
            checkpoints=by_seed(snakemake.input.checkpoints, seeds),
            predictions=by_seed(snakemake.output, seeds),
        ),
        threads=snakemake.threads,
    )

exit_now()
