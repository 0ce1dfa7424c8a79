"""How far this study's runs differ from the same runs in another results folder."""


# The other folder's files are no inputs: they may be older than what was made of those that
# stood there before, and nothing of it is made or changed.
rule compare_elsewhere:
    input:
        evaluation=evaluation_of(paths.EVALUATION),
        records=runs_of_scale(paths.RUN_RECORD),
        predictions=runs_of_scale(paths.PREDICTIONS),
    output:
        paths.ELSEWHERE,
    log:
        paths.log_of("compare_elsewhere", paths.SCALE),
    benchmark:
        paths.benchmark_of("compare_elsewhere", paths.SCALE)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code("compare_elsewhere.py"),
        runs=run_names,
        there=other_results,
        found=other_runs,
        confidence=STUDY.confidence,
    message:
        "Comparing {wildcards.scale} with the same runs made elsewhere"
    script:
        "../workflow/scripts/compare_elsewhere.py"
