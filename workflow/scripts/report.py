from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.report import write_report

    write_report(
        snakemake.params.study,
        [Path(path) for path in snakemake.input.stats],
        [Path(path) for path in snakemake.input.corpora],
        [Path(path) for path in snakemake.input.figures],
        Path(snakemake.output[0]),
        audit=next(map(Path, snakemake.params.audit), None),
        elsewhere=[
            Path(path) for path in [*snakemake.input.elsewhere, *snakemake.params.elsewhere]
        ],
        records=[Path(path) for path in snakemake.params.records],
    )
