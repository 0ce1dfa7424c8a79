from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.runs import by_activation, by_run
    from actrepro.gates.after import GateFiles, check_runs

    activations, seeds = snakemake.params.activations, snakemake.params.seeds
    check_runs(
        dict(snakemake.wildcards),
        GateFiles(
            corpus=Path(snakemake.input.corpus),
            evaluation=Path(snakemake.input.evaluation),
            manifest=Path(snakemake.input.manifest),
            differences=by_activation(snakemake.input.differences, activations),
            matched=Path(snakemake.input.matched),
            matrices=Path(snakemake.input.matrices),
            records=by_run(snakemake.input.records, activations, seeds),
            gates_after=Path(snakemake.output[0]),
        ),
    )
