"""Gates, training runs, and what they predict."""

from actrepro.train.needs import training_megabytes, training_minutes


# A fresh model of each activation, before hours are spent on it. Training does not
# wait for the verdict: a failed gate marks its cell and stops nothing.
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
    # One thread on a CPU: the cores are filled with jobs, and the bytes do not
    # depend on how many there are.
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
        # A resource and no parameter: how often the state is saved changes no result.
        save_state_seconds=STUDY.save_state_seconds,
    # Of the cell, so that a run depends on no other seed.
    params:
        code=code_of_runs("train.py"),
        cell=lambda wildcards: PLAN.cell(
            wildcards.scale, wildcards.model, wildcards.activation
        ),
    message:
        "Training {wildcards.scale}/{wildcards.model}/{wildcards.activation}/seed{wildcards.seed}"
    script:
        "../workflow/scripts/train.py"


# Where runs last seconds, a cell's are trained by one job: starting torch costs more than
# one of them. Snakemake deletes all outputs before, and training takes those of finished runs
# from their second names (`RunOutputs.kept`), so a new seed trains alone. Not `update()`: after
# a job that failed it would give the old files the new parameters.
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


# A cell's runs are predicted in one job: starting torch costs more than a small
# run's predictions. The files are still one per run.
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


# Which steps are matched depends on all runs of a model, so one job predicts them all. What
# a run has predicted at its step already is taken from there.
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
