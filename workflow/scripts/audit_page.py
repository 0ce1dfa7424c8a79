from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.audit.page import write_page

    write_page(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]),
        records=[Path(path) for path in snakemake.params.records],
    )
