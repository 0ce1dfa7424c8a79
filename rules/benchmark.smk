"""Speed of training on this machine, beside a plain training loop and the machine's peak."""


localrules:
    benchmark_figure,


# The job takes every core, so no other job of the workflow disturbs the measurement.
rule measure_training:
    input:
        lambda wildcards: paths.each(
            paths.CORPUS, corpus=STUDY.benchmark_config().corpora
        ),
    output:
        paths.BENCHMARK,
    log:
        paths.log_of("measure_training", paths.BENCHMARK),
    benchmark:
        paths.benchmark_of("measure_training", paths.BENCHMARK)
    conda:
        "../envs/training.yaml"
    threads: lambda wildcards: workflow.cores
    resources:
        mem_mb=retry_scaled(8000),
        runtime=retry_scaled(120),
        gpu=gpus,
    params:
        code=lambda wildcards: fingerprint(
            "measure_training.py",
            [
                # The job starts these programs by name, so its imports do not show them.
                "actrepro.benchmark.programs.*",
                "actrepro.train.loop",
                *map(model_module, STUDY.benchmark_config().models),
            ],
        ),
        benchmark=lambda wildcards: STUDY.benchmark_config().model_dump(mode="json"),
    message:
        "Measuring how fast training is, with the machine to itself"
    script:
        "../workflow/scripts/measure_training.py"


rule benchmark_figure:
    input:
        paths.BENCHMARK,
    output:
        svg=report(
            paths.BENCHMARK_SVG,
            caption="../resources/captions/benchmark.rst",
            category="Benchmark",
            labels={"figure": "Training speed on this machine"},
        ),
        png=paths.BENCHMARK_PNG,
    log:
        paths.log_of("benchmark_figure", paths.BENCHMARK),
    benchmark:
        paths.benchmark_of("benchmark_figure", paths.BENCHMARK)
    conda:
        "../envs/presentation.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(10),
    params:
        code=code("benchmark_figure.py"),
    message:
        "Drawing the benchmark"
    script:
        "../workflow/scripts/benchmark_figure.py"
