from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.config import Control
    from actrepro.controls._job import make_control

    make_control(
        snakemake.wildcards.control,
        Control.model_validate(snakemake.params.protocol),
        Path(snakemake.input.corpus),
        Path(snakemake.output[0]),
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
