from itertools import product
from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.gates_after import check_runs

    activations = snakemake.params.activations
    check_runs(
        dict(snakemake.wildcards),
        list(product(activations, snakemake.params.seeds)),
        dict(zip(activations, map(Path, snakemake.input.differences), strict=True)),
        Path(snakemake.input.matched),
        Path(snakemake.input.matrices),
        [Path(path) for path in snakemake.input.records],
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        Path(snakemake.input.manifest),
        Path(snakemake.output[0]),
    )
