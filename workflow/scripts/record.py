from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.replication.archive_writer import record_study

    record_study(snakemake.params.name, snakemake.params.asked, Path())
