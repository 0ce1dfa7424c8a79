from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.report.markdown import write_markdown
    from actrepro.report.page import Inputs, contents, write_report

    given = snakemake.input
    page = contents(
        snakemake.params.study,
        Inputs(
            stats=[Path(path) for path in given.stats],
            corpora=[Path(path) for path in given.corpora],
            figures=[Path(path) for path in given.figures],
            breakdowns=[Path(path) for path in given.breakdowns],
            models=Path(given.models),
            costs=[Path(path) for path in given.costs],
            benchmarks=Path(snakemake.params.benchmarks),
            earlier=next(map(Path, snakemake.params.earlier), None),
            elsewhere=[Path(path) for path in [*given.elsewhere, *snakemake.params.elsewhere]],
            records=[Path(path) for path in snakemake.params.records],
        ),
    )
    write_report(page, Path(snakemake.output.page))
    write_markdown(page, Path(snakemake.output.text))
