"""Gates, training runs, and what they predict."""


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
        mem_mb=growing(4000),
        runtime=lasting(30),
        gpu=gpus,
        jobs_per_card=STUDY.jobs_per_card,
    params:
        code=code_of_model("gates.py"),
        runs=first_runs,
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
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
        gpu=gpus,
        jobs_per_card=STUDY.jobs_per_card,
        # A resource and no parameter: how often a snapshot is taken changes no result.
        snapshot_seconds=STUDY.snapshot_seconds,
    # Of the cell, so that a run depends on no other seed.
    params:
        code=code_of_cell("train.py"),
        cell=cell_config,
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
        checkpoint=outputs_of_cell(paths.CHECKPOINT, STUDY),
        snapshots=outputs_of_cell(paths.SNAPSHOTS, STUDY),
        history=outputs_of_cell(paths.HISTORY, STUDY),
        record=outputs_of_cell(paths.RUN_RECORD, STUDY),
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
        checkpoints=runs_of_cell(paths.CHECKPOINT),
    output:
        outputs_of_cell(paths.PREDICTIONS, STUDY),
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
        mem_mb=growing(3000),
        runtime=lasting(60),
        gpu=gpus,
        jobs_per_card=STUDY.jobs_per_card,
    params:
        code=code_of_cell("predict.py"),
        runs=run_configs,
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
        histories=runs_of_model(paths.HISTORY),
        checkpoints=runs_of_model(paths.CHECKPOINT),
        snapshots=runs_of_model(paths.SNAPSHOTS),
        predictions=runs_of_model(paths.PREDICTIONS),
    output:
        matched=paths.MATCHED,
        predictions=outputs_of_model(paths.MATCHED_PREDICTIONS, STUDY),
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
        mem_mb=growing(3000),
        runtime=lasting(120),
        gpu=gpus,
        jobs_per_card=STUDY.jobs_per_card,
    params:
        code=code_of_model("predict_matched.py"),
        runs=run_configs_of_model,
    message:
        "Predicting at a common loss with {wildcards.scale}/{wildcards.model}"
    script:
        "../workflow/scripts/predict_matched.py"
