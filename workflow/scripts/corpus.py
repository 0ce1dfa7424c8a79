from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import parse_corpus
    from actrepro.texts import make_corpus

    make_corpus(
        snakemake.wildcards.corpus,
        parse_corpus(snakemake.params.corpus),
        Path(snakemake.output.corpus),
        Path(snakemake.output.manifest),
    )
