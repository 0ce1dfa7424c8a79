from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.reading import parse_corpus
    from actrepro.data.sources import make_corpus

    make_corpus(
        snakemake.wildcards.corpus,
        parse_corpus(snakemake.params.corpus),
        Path(snakemake.output.corpus),
        Path(snakemake.output.manifest),
    )
