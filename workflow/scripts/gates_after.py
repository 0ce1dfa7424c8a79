from itertools import product
from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.gates.after import check_runs

    check_runs(
        dict(snakemake.wildcards),
        list(product(snakemake.params.activations, snakemake.params.seeds)),
        [Path(path) for path in snakemake.input.differences],
        Path(snakemake.input.matched),
        Path(snakemake.input.matrices),
        [Path(path) for path in snakemake.input.records],
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        Path(snakemake.input.manifest),
        Path(snakemake.output[0]),
    )
