from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import parse_study
    from actrepro.facts import write_facts

    write_facts(
        parse_study(snakemake.params.study),
        Path(snakemake.input.corpus),
        Path(snakemake.output[0]),
    )
