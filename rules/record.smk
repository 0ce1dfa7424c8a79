"""Recording: a finished study in small form, to be brought to where it cannot be run."""


localrules:
    record,


# It has no output that Snakemake knows of: outputs are deleted before a job, and a record that
# is there already is never replaced.
rule record:
    input:
        results=copied_files(STUDY.scales, STUDY.models),
        histories=runs_of_study(paths.HISTORY),
        records=runs_of_study(paths.RUN_RECORD),
    log:
        paths.log_of("record", paths.RECORD),
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        name=record_name,
        asked=STUDY.as_asked(),
    message:
        "Recording the study's results"
    script:
        "../workflow/scripts/record.py"
