from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.audit.verdicts import write_verdicts
    from actrepro.config.reading import parse_study

    write_verdicts(
        parse_study(snakemake.params.study),
        Path(snakemake.input.claims[0]).parent,
        [Path(path) for path in [*snakemake.input.stats, *snakemake.params.existing]],
        [Path(path) for path in snakemake.input.controls],
        Path(snakemake.input.facts),
        Path(snakemake.output.json),
        Path(snakemake.output.table),
        records=[Path(path) for path in snakemake.params.records],
    )
