from itertools import product
from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.measures.differences import model_differences

    model_differences(
        list(product(snakemake.params.activations, snakemake.params.seeds)),
        [Path(path) for path in snakemake.input.predictions],
        [Path(path) for path in snakemake.input.matched],
        Path(snakemake.input.evaluation),
        Path(snakemake.output.matrices),
        Path(snakemake.output.matched),
    )
