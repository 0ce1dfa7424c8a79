from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.runs import by_run
    from actrepro.measures.breakdown import model_breakdown

    model_breakdown(
        dict(snakemake.wildcards),
        by_run(snakemake.input.predictions, snakemake.params.activations, snakemake.params.seeds),
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        Path(snakemake.output[0]),
    )
