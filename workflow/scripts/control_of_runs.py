from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.audit.controls.unpaired import unpaired_control

    unpaired_control(
        [(a, seed) for a in snakemake.params.activations for seed in snakemake.params.seeds],
        [Path(path) for path in snakemake.input.predictions],
        Path(snakemake.input.corpus),
        Path(snakemake.input.evaluation),
        Path(snakemake.input.stats),
        Path(snakemake.output[0]),
    )
