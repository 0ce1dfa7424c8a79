from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.figures.draw import draw_figure

    draw_figure(
        snakemake.wildcards.figure,
        Path(snakemake.input.stats),
        [Path(path) for path in snakemake.input.histories],
        Path(snakemake.output.svg),
        Path(snakemake.output.png),
        breakdowns=[Path(path) for path in snakemake.input.breakdowns],
        models=next(map(Path, snakemake.input.models), None),
    )
