"""Records: a finished study in small form, for places where it cannot be run."""

from actrepro.replication.archive import copied_files


localrules:
    record,


# The rule declares no output: Snakemake deletes outputs before a job, and an existing record
# must never be replaced.
rule record:
    input:
        results=copied_files(STUDY.scales, STUDY.models),
        histories=PLAN.files(paths.HISTORY),
        records=PLAN.files(paths.RUN_RECORD),
    log:
        paths.log_of("record", paths.RECORD),
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(10),
    params:
        name=lambda wildcards: or_workflow_error(STUDY.record_name),
        asked=STUDY.as_asked(),
    message:
        "Recording the study's results"
    script:
        "../workflow/scripts/record.py"
