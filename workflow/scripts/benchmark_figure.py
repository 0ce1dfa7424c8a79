from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.drawing.benchmark import draw_benchmark

    draw_benchmark(
        Path(snakemake.input[0]),
        Path(snakemake.output.svg),
        Path(snakemake.output.png),
    )
