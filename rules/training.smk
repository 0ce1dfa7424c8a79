"""Gates, training runs, and their predictions."""

from actrepro.train.needs import training_megabytes, training_minutes


# Checks a fresh model with each activation, before hours of training. Training does not wait
# for the outcome: a failed gate marks its cell and stops nothing.
rule gates:
    input:
        corpus=corpus_of,
    output:
        paths.GATES,
    log:
        paths.log_of("gates", paths.MODEL),
    benchmark:
        paths.benchmark_of("gates", paths.MODEL)
    priority: 10
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(4000),
        runtime=minutes_for(30),
        gpu=gpus,
        jobs_per_gpu=STUDY.jobs_per_gpu,
    params:
        code=code_of_runs("gates.py"),
        runs=lambda wildcards: PLAN.first_runs(**wildcards),
    message:
        "Gates of {wildcards.scale}/{wildcards.model}, before training"
    script:
        "../workflow/scripts/gates.py"


rule train:
    input:
        corpus=corpus_of,
    output:
        checkpoint=ensure(paths.CHECKPOINT, non_empty=True),
        snapshots=paths.SNAPSHOTS,
        history=paths.HISTORY,
        record=paths.RUN_RECORD,
    log:
        paths.log_of("train", paths.RUN),
    benchmark:
        paths.benchmark_of("train", paths.RUN)
    conda:
        "../envs/training.yaml"
    # One thread per job: parallel jobs use all cores, and the bytes do not depend on their number.
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * training_megabytes(protocol_of(wildcards), TRAINS_ON_CUDA),
        runtime=lambda wildcards, attempt: attempt
        * training_minutes(
            protocol_of(wildcards),
            len(PLAN.files(paths.RUN, **wildcards)),
            TRAINS_ON_CUDA,
        ),
        gpu=gpus,
        jobs_per_gpu=STUDY.jobs_per_gpu,
        # A resource, not a parameter: its value changes no result, so a change makes none stale.
        save_state_seconds=STUDY.save_state_seconds,
    # The cell's slice, without the list of seeds, so a run depends on no other seed.
    params:
        code=code_of_runs("train.py"),
        cell=lambda wildcards: PLAN.cell(
            wildcards.scale, wildcards.model, wildcards.activation
        ),
    message:
        "Training {wildcards.scale}/{wildcards.model}/{wildcards.activation}/seed{wildcards.seed}"
    script:
        "../workflow/scripts/train.py"


# If runs last seconds, one job trains all runs of a cell: starting torch costs more than a run.
# Snakemake deletes all outputs before the job, so training restores those of finished runs from
# their backup (`RunOutputs.restore_backup`), and only a new seed is trained. `update()` would be
# wrong here: after a failed job it gives the old files the new parameters.
use rule train as train_cell with:
    output:
        checkpoint=paths.each(paths.CHECKPOINT, seed=STUDY.seeds),
        snapshots=paths.each(paths.SNAPSHOTS, seed=STUDY.seeds),
        history=paths.each(paths.HISTORY, seed=STUDY.seeds),
        record=paths.each(paths.RUN_RECORD, seed=STUDY.seeds),
    log:
        paths.log_of("train", paths.CELL),
    benchmark:
        paths.benchmark_of("train", paths.CELL)
    wildcard_constraints:
        scale=one_of(STUDY.trained_together) or "none",
    message:
        "Training {wildcards.scale}/{wildcards.model}/{wildcards.activation}"


ruleorder: train_cell > train


# One job predicts with all runs of a cell, because starting torch costs more than a small run's
# predictions. Each run still has its own file.
rule predict:
    input:
        corpus=corpus_of,
        evaluation=evaluation_of(paths.EVALUATION),
        checkpoints=every(paths.CHECKPOINT),
    output:
        paths.each(paths.PREDICTIONS, seed=STUDY.seeds),
    log:
        paths.log_of("predict", paths.CELL),
    benchmark:
        paths.benchmark_of("predict", paths.CELL)
    wildcard_constraints:
        scale=one_of(STUDY.protocols),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(3000),
        runtime=minutes_for(60),
        gpu=gpus,
        jobs_per_gpu=STUDY.jobs_per_gpu,
    params:
        code=code_of_runs("predict.py"),
        runs=lambda wildcards: PLAN.runs(**wildcards),
    message:
        "Predicting the test text with {wildcards.scale}/{wildcards.model}/{wildcards.activation}"
    script:
        "../workflow/scripts/predict.py"


# The matched steps depend on all runs of a model, so one job predicts with all of them. If a run
# has already predicted with the weights of its step, these predictions are copied.
rule predict_matched:
    input:
        corpus=corpus_of,
        evaluation=evaluation_of(paths.EVALUATION),
        manifest=evaluation_of(paths.EVALUATION_MANIFEST),
        histories=every(paths.HISTORY),
        checkpoints=every(paths.CHECKPOINT),
        snapshots=every(paths.SNAPSHOTS),
        predictions=every(paths.PREDICTIONS),
    output:
        matched=paths.MATCHED,
        predictions=paths.each(
            paths.MATCHED_PREDICTIONS,
            activation=STUDY.activations,
            seed=STUDY.seeds,
        ),
    log:
        paths.log_of("predict_matched", paths.MODEL),
    benchmark:
        paths.benchmark_of("predict_matched", paths.MODEL)
    wildcard_constraints:
        scale=one_of(STUDY.protocols),
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(3000),
        runtime=minutes_for(120),
        gpu=gpus,
        jobs_per_gpu=STUDY.jobs_per_gpu,
    params:
        code=code_of_runs("predict_matched.py"),
        runs=lambda wildcards: PLAN.runs(**wildcards),
    message:
        "Predicting at a common loss with {wildcards.scale}/{wildcards.model}"
    script:
        "../workflow/scripts/predict_matched.py"
