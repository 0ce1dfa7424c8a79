from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.runs import by_run
    from actrepro.measures.differences import DifferencesFiles, model_differences

    runs = snakemake.params.activations, snakemake.params.seeds
    model_differences(
        DifferencesFiles(
            evaluation=Path(snakemake.input.evaluation),
            predictions=by_run(snakemake.input.predictions, *runs),
            matched=by_run(snakemake.input.matched, *runs),
            matrices=Path(snakemake.output.matrices),
            matched_differences=Path(snakemake.output.matched),
        )
    )
