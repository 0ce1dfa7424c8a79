from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.recording import record_study

    record_study(snakemake.params.name, snakemake.params.asked, Path())
