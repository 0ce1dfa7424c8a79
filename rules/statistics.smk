"""Differences between runs, statistics of a model and of a scale, and their tables."""


localrules:
    costs,
    scale_stats,
    tables,


rule cell_differences:
    input:
        evaluation=evaluation_of(paths.EVALUATION),
        predictions=every(paths.PREDICTIONS),
    output:
        paths.CELL_DIFFERENCES,
    log:
        paths.log_of("cell_differences", paths.CELL),
    benchmark:
        paths.benchmark_of("cell_differences", paths.CELL)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=minutes_for(10),
    params:
        code=code("cell_differences.py"),
        seeds=seeds_of,
    message:
        "Comparing the seeds of {wildcards.scale}/{wildcards.model}/{wildcards.activation}"
    script:
        "../workflow/scripts/cell_differences.py"


rule model_differences:
    input:
        evaluation=evaluation_of(paths.EVALUATION),
        predictions=every(paths.PREDICTIONS),
        matched=every(paths.MATCHED_PREDICTIONS),
    output:
        matrices=paths.MODEL_DIFFERENCES,
        matched=paths.MATCHED_DIFFERENCES,
    log:
        paths.log_of("model_differences", paths.MODEL),
    benchmark:
        paths.benchmark_of("model_differences", paths.MODEL)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(4000),
        runtime=minutes_for(60),
    params:
        code=code("model_differences.py"),
        activations=activations_of,
        seeds=seeds_of,
    message:
        "Comparing all runs of {wildcards.scale}/{wildcards.model}"
    script:
        "../workflow/scripts/model_differences.py"


rule breakdown:
    input:
        corpus=corpus_of,
        evaluation=evaluation_of(paths.EVALUATION),
        predictions=every(paths.PREDICTIONS),
    output:
        paths.BREAKDOWN,
    log:
        paths.log_of("breakdown", paths.MODEL),
    benchmark:
        paths.benchmark_of("breakdown", paths.MODEL)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=minutes_for(30),
    params:
        code=code("breakdown.py"),
        activations=activations_of,
        seeds=seeds_of,
    message:
        "Where the runs of {wildcards.scale}/{wildcards.model} disagree"
    script:
        "../workflow/scripts/breakdown.py"


rule gates_after:
    input:
        corpus=corpus_of,
        evaluation=evaluation_of(paths.EVALUATION),
        manifest=evaluation_of(paths.EVALUATION_MANIFEST),
        differences=every(paths.CELL_DIFFERENCES),
        matched=paths.MATCHED_DIFFERENCES,
        matrices=paths.MODEL_DIFFERENCES,
        records=every(paths.RUN_RECORD),
    output:
        paths.GATES_AFTER,
    log:
        paths.log_of("gates_after", paths.MODEL),
    benchmark:
        paths.benchmark_of("gates_after", paths.MODEL)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=minutes_for(10),
    params:
        code=code("gates_after.py"),
        activations=activations_of,
        seeds=seeds_of,
    message:
        "Gates of {wildcards.scale}/{wildcards.model}, after training"
    script:
        "../workflow/scripts/gates_after.py"


rule model_stats:
    input:
        evaluation=evaluation_of(paths.EVALUATION_MANIFEST),
        differences=every(paths.CELL_DIFFERENCES),
        matched=paths.MATCHED,
        matched_differences=paths.MATCHED_DIFFERENCES,
        matrices=paths.MODEL_DIFFERENCES,
        records=every(paths.RUN_RECORD),
        gates=paths.GATES,
        gates_after=paths.GATES_AFTER,
    output:
        paths.MODEL_STATS,
    log:
        paths.log_of("model_stats", paths.MODEL),
    benchmark:
        paths.benchmark_of("model_stats", paths.MODEL)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=minutes_for(10),
    params:
        code=code("model_stats.py"),
        activations=activations_of,
        seeds=seeds_of,
        confidence=STUDY.confidence,
        margins=STUDY.margins.model_dump(),
    message:
        "Statistics of {wildcards.scale}/{wildcards.model}"
    script:
        "../workflow/scripts/model_stats.py"


rule scale_stats:
    input:
        every(paths.MODEL_STATS),
    output:
        paths.SCALE_STATS,
    log:
        paths.log_of("scale_stats", paths.SCALE),
    benchmark:
        paths.benchmark_of("scale_stats", paths.SCALE)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=minutes_for(10),
    params:
        code=code("scale_stats.py"),
        study=STUDY.study,
    message:
        "Statistics of {wildcards.scale}"
    script:
        "../workflow/scripts/scale_stats.py"


rule costs:
    input:
        stats=paths.SCALE_STATS,
        models=paths.MODELS,
    output:
        paths.COSTS,
    log:
        paths.log_of("costs", paths.SCALE),
    benchmark:
        paths.benchmark_of("costs", paths.SCALE)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=minutes_for(10),
    params:
        code=code("costs.py"),
    message:
        "Costs of {wildcards.scale}"
    script:
        "../workflow/scripts/costs.py"


rule tables:
    input:
        stats=paths.SCALE_STATS,
        matrices=every(paths.MODEL_DIFFERENCES),
    output:
        runs=report(
            paths.RUNS_TABLE,
            caption="../resources/captions/runs.rst",
            category="Scale {scale}",
            subcategory="Tables",
            labels={"table": "runs", "a row per": "run and checkpoint rule"},
        ),
        pairs=paths.PAIRS_TABLE,
        cells=report(
            paths.CELLS_TABLE,
            caption="../resources/captions/cells.rst",
            category="Scale {scale}",
            subcategory="Tables",
            labels={
                "table": "cells",
                "a row per": "cell, checkpoint rule and measure",
            },
        ),
        contrasts=report(
            paths.CONTRASTS_TABLE,
            caption="../resources/captions/contrasts.rst",
            category="Scale {scale}",
            subcategory="Tables",
            labels={
                "table": "contrasts",
                "a row per": "two activations, checkpoint rule and measure",
            },
        ),
        gates=report(
            paths.GATES_TABLE,
            caption="../resources/captions/gates.rst",
            category="Scale {scale}",
            subcategory="Tables",
            labels={"table": "gates", "a row per": "cell, checkpoint rule and gate"},
        ),
        across=paths.ACROSS_TABLE,
        tests=report(
            paths.TESTS_TABLE,
            caption="../resources/captions/tests.rst",
            category="Scale {scale}",
            subcategory="Tables",
            labels={
                "table": "tests",
                "a row per": "model, checkpoint rule, measure and test",
            },
        ),
        variance=paths.VARIANCE_TABLE,
    log:
        paths.log_of("tables", paths.SCALE),
    benchmark:
        paths.benchmark_of("tables", paths.SCALE)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=minutes_for(10),
    params:
        code=code("tables.py"),
        models=lambda wildcards: list(PLAN.study_at(wildcards.scale).models),
    message:
        "Tables of {wildcards.scale}"
    script:
        "../workflow/scripts/tables.py"
