from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.data.evaluation_set import make_evaluation

    make_evaluation(
        Path(snakemake.input.corpus),
        int(snakemake.wildcards.context),
        snakemake.params.test_characters,
        Path(snakemake.output.evaluation),
        Path(snakemake.output.manifest),
    )
