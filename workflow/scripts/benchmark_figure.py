from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.benchmark.figure import draw_benchmark

    draw_benchmark(
        Path(snakemake.input[0]),
        Path(snakemake.output.svg),
        Path(snakemake.output.png),
    )
