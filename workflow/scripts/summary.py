from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.report.summary import write_summary

    write_summary(Path(snakemake.input[0]), Path(snakemake.output[0]))
