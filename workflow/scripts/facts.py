from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.audit.facts import write_facts
    from actrepro.config.reading import parse_study

    write_facts(
        parse_study(snakemake.params.study),
        Path(snakemake.input.corpus),
        Path(snakemake.output[0]),
    )
