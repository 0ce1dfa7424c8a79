from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.train.startup import exit_now, start_torch

    requests = [RunConfig.model_validate(run) for run in snakemake.params.runs]
    start_torch(requests, snakemake.resources.jobs_per_card)
    from actrepro.predict.predictor import RunFiles, predict_matched

    names = ("histories", "checkpoints", "snapshots", "predictions")
    files = (snakemake.input[name] for name in names)
    predict_matched(
        requests,
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        Path(snakemake.input.manifest),
        [RunFiles(*map(Path, run)) for run in zip(*files, strict=True)],
        Path(snakemake.output.matched),
        [Path(path) for path in snakemake.output.predictions],
        threads=snakemake.threads,
    )

exit_now()
