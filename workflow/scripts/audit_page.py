from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.audit.page.build import write_page

    write_page(
        Path(snakemake.input[0]),
        Path(snakemake.output.page),
        Path(snakemake.output.section),
        records=[Path(path) for path in snakemake.params.records],
    )
