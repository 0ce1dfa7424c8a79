from pathlib import Path

from actrepro.jobs import job

with job(snakemake.log[0]):
    from actrepro.report import Inputs, contents, write_report
    from actrepro.report_markdown import write_markdown

    def listed(paths):
        return [Path(path) for path in paths]

    page = contents(
        snakemake.params.study,
        Inputs(
            stats=listed(snakemake.input.stats),
            corpora=listed(snakemake.input.corpora),
            figures=listed(snakemake.input.figures),
            breakdowns=listed(snakemake.input.breakdowns),
            models=Path(snakemake.input.models),
            benchmarks=Path(snakemake.params.benchmarks),
            audit=next(map(Path, snakemake.params.audit), None),
            elsewhere=listed([*snakemake.input.elsewhere, *snakemake.params.elsewhere]),
            records=listed(snakemake.params.records),
        ),
    )
    write_report(page, Path(snakemake.output.page))
    write_markdown(page, Path(snakemake.output.text))
