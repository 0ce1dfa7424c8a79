"""Differences between runs, and statistics of a model and of a scale."""


rule cell_differences:
    input:
        evaluation=evaluation_of(paths.EVALUATION),
        predictions=runs_of_cell(paths.PREDICTIONS),
    output:
        paths.CELL_DIFFERENCES,
    log:
        paths.log_of("cell_differences", paths.CELL),
    benchmark:
        paths.benchmark_of("cell_differences", paths.CELL)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        seeds=seeds_of,
    message:
        "Comparing the seeds of {wildcards.scale}/{wildcards.model}/{wildcards.activation}"
    script:
        "../workflow/scripts/cell_differences.py"


rule model_differences:
    input:
        evaluation=evaluation_of(paths.EVALUATION),
        predictions=runs_of_model(paths.PREDICTIONS),
        matched=runs_of_model(paths.MATCHED_PREDICTIONS),
    output:
        matrices=paths.MODEL_DIFFERENCES,
        matched=paths.MATCHED_DIFFERENCES,
    log:
        paths.log_of("model_differences", paths.MODEL),
    benchmark:
        paths.benchmark_of("model_differences", paths.MODEL)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        activations=activations_of,
        seeds=seeds_of,
    message:
        "Comparing all runs of {wildcards.scale}/{wildcards.model}"
    script:
        "../workflow/scripts/model_differences.py"


rule gates_after:
    input:
        corpus=corpus_of,
        evaluation=evaluation_of(paths.EVALUATION),
        manifest=evaluation_of(paths.EVALUATION_MANIFEST),
        differences=cells_of_model(paths.CELL_DIFFERENCES),
        matched=paths.MATCHED_DIFFERENCES,
        matrices=paths.MODEL_DIFFERENCES,
        records=runs_of_model(paths.RUN_RECORD),
    output:
        paths.GATES_AFTER,
    log:
        paths.log_of("gates_after", paths.MODEL),
    benchmark:
        paths.benchmark_of("gates_after", paths.MODEL)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        activations=activations_of,
        seeds=seeds_of,
    message:
        "Gates of {wildcards.scale}/{wildcards.model}, after training"
    script:
        "../workflow/scripts/gates_after.py"


rule model_stats:
    input:
        evaluation=evaluation_of(paths.EVALUATION_MANIFEST),
        differences=cells_of_model(paths.CELL_DIFFERENCES),
        matched=paths.MATCHED,
        matched_differences=paths.MATCHED_DIFFERENCES,
        matrices=paths.MODEL_DIFFERENCES,
        records=runs_of_model(paths.RUN_RECORD),
        gates=paths.GATES,
        gates_after=paths.GATES_AFTER,
    output:
        paths.MODEL_STATS,
    log:
        paths.log_of("model_stats", paths.MODEL),
    benchmark:
        paths.benchmark_of("model_stats", paths.MODEL)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
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
        stats=models_of_scale(paths.MODEL_STATS),
        matrices=models_of_scale(paths.MODEL_DIFFERENCES),
    output:
        stats=paths.SCALE_STATS,
        runs=report(
            paths.RUNS_TABLE,
            caption="../resources/captions/runs.rst",
            category="{scale}",
            labels={"table": "runs"},
        ),
        pairs=paths.PAIRS_TABLE,
        cells=paths.CELLS_TABLE,
        contrasts=paths.CONTRASTS_TABLE,
        gates=paths.GATES_TABLE,
        across=paths.ACROSS_TABLE,
        tests=paths.TESTS_TABLE,
        variance=paths.VARIANCE_TABLE,
        summary=paths.SUMMARY,
    log:
        paths.log_of("scale_stats", paths.SCALE),
    benchmark:
        paths.benchmark_of("scale_stats", paths.SCALE)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        study=STUDY.study,
        models=models_of,
    message:
        "Statistics and tables of {wildcards.scale}"
    script:
        "../workflow/scripts/scale_stats.py"
