from itertools import product
from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.measures.breakdown import model_breakdown

    model_breakdown(
        dict(snakemake.wildcards),
        list(product(snakemake.params.activations, snakemake.params.seeds)),
        [Path(path) for path in snakemake.input.predictions],
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        Path(snakemake.output[0]),
    )
