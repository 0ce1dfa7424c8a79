from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.benchmark.results import make_benchmark
    from actrepro.config.study import BenchmarkConfig

    make_benchmark(
        BenchmarkConfig.model_validate(snakemake.params.benchmark),
        [Path(path) for path in snakemake.input],
        Path(snakemake.output[0]),
        cores=snakemake.threads,
    )
