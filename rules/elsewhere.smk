"""Differences between this study's runs and the same runs in another results folder."""

from actrepro.replication.folder import file_stamps, require_other


# The other folder's files are no inputs: Snakemake must never make or change them, and a copy may
# be older than a comparison with its predecessor. So a parameter has their sizes and times.
rule compare_elsewhere:
    input:
        evaluation=evaluation_of(paths.EVALUATION),
        records=every(paths.RUN_RECORD),
        predictions=every(paths.PREDICTIONS),
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
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(60),
    params:
        code=code("compare_elsewhere.py"),
        runs=lambda wildcards: PLAN.run_names(wildcards.scale),
        there=lambda wildcards: str(require_other(STUDY.elsewhere, STUDY.protocols)),
        found=lambda wildcards: file_stamps(
            STUDY.elsewhere, wildcards.scale, PLAN.run_names(wildcards.scale)
        ),
        confidence=STUDY.confidence,
    message:
        "Comparing {wildcards.scale} with the same runs made elsewhere"
    script:
        "../workflow/scripts/compare_elsewhere.py"
