from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.train.startup import exit_now, start_torch

    requests = [RunConfig.model_validate(run) for run in snakemake.params.runs]
    start_torch(requests, snakemake.resources.jobs_per_gpu)
    from actrepro.core.runs import by_run
    from actrepro.predict.predictor import MatchedFiles, predict_matched

    given, made = snakemake.input, snakemake.output
    activations = list(dict.fromkeys(request.activation for request in requests))
    runs = activations, list(dict.fromkeys(request.seed for request in requests))
    predict_matched(
        requests,
        MatchedFiles(
            corpus=Path(given.corpus),
            evaluation=Path(given.evaluation),
            manifest=Path(given.manifest),
            histories=by_run(given.histories, *runs),
            checkpoints=by_run(given.checkpoints, *runs),
            snapshots=by_run(given.snapshots, *runs),
            predictions=by_run(given.predictions, *runs),
            matched=Path(made.matched),
            matched_predictions=by_run(made.predictions, *runs),
        ),
        threads=snakemake.threads,
    )

exit_now()
