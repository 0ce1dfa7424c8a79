"""How fast training is on this machine, beside a plain training loop and the machine's peak."""


# It takes every core, so that no other job of the workflow shares the machine while it
# measures.
rule measure_training:
    input:
        corpora_of_benchmark,
    output:
        paths.BENCHMARK,
    log:
        paths.log_of("measure_training", paths.BENCHMARK),
    benchmark:
        paths.benchmark_of("measure_training", paths.BENCHMARK)
    conda:
        ENVIRONMENT
    threads: all_cores
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1 if TRAINS_ON_CUDA else 0,
    params:
        benchmark=benchmark_config,
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
            category="benchmark",
        ),
        png=paths.BENCHMARK_PNG,
    log:
        paths.log_of("benchmark_figure", paths.BENCHMARK),
    benchmark:
        paths.benchmark_of("benchmark_figure", paths.BENCHMARK)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Drawing the benchmark"
    script:
        "../workflow/scripts/benchmark_figure.py"
