from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.core.runs import by_activation, by_run
    from actrepro.statistics.contrasts import Settings
    from actrepro.statistics.per_model import StatisticsFiles, model_statistics

    given = snakemake.input
    activations, seeds = snakemake.params.activations, snakemake.params.seeds
    model_statistics(
        dict(snakemake.wildcards),
        Settings(snakemake.params.confidence, snakemake.params.margins),
        StatisticsFiles(
            evaluation=Path(given.evaluation),
            differences=by_activation(given.differences, activations),
            matched=Path(given.matched),
            matched_differences=Path(given.matched_differences),
            matrices=Path(given.matrices),
            records=by_run(given.records, activations, seeds),
            gates=Path(given.gates),
            gates_after=Path(given.gates_after),
            stats=Path(snakemake.output[0]),
        ),
    )
