from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.audit.config import Control
    from actrepro.audit.controls.job import make_control
    from actrepro.train.startup import claim_gpu

    claim_gpu(snakemake.params.device, snakemake.resources.jobs_per_gpu)
    make_control(
        snakemake.wildcards.control,
        Control.model_validate(snakemake.params.protocol),
        Path(snakemake.input.corpus),
        Path(snakemake.output[0]),
        device=snakemake.params.device,
        threads=snakemake.threads,
    )
