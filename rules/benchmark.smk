"""How fast training is on this machine, beside a plain training loop and the machine's peak."""


localrules:
    benchmark_figure,


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
        "../envs/training.yaml"
    threads: all_cores
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
        gpu=gpus,
    params:
        code=code_of_benchmark("measure_training.py"),
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
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("benchmark_figure.py"),
    message:
        "Drawing the benchmark"
    script:
        "../workflow/scripts/benchmark_figure.py"
