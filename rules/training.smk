"""Training runs and what they predict."""


rule train:
    input:
        corpus=corpus_of,
    output:
        checkpoint=ensure(paths.CHECKPOINT, non_empty=True),
        history=paths.HISTORY,
        record=paths.RUN_RECORD,
    log:
        paths.log_of("train", paths.RUN),
    benchmark:
        paths.benchmark_of("train", paths.RUN)
    conda:
        ENVIRONMENT
    # One thread on a CPU: the cores are filled with jobs, and the bytes do not
    # depend on how many there are.
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=1 if TRAINS_ON_CUDA else 0,
    params:
        run=run_config,
    message:
        "Training {wildcards.scale}/{wildcards.model}/{wildcards.activation}/seed{wildcards.seed}"
    script:
        "../workflow/scripts/train.py"


# A cell's runs are predicted in one job: starting torch costs more than a small
# run's predictions. The files are still one per run.
rule predict:
    input:
        corpus=corpus_of,
        evaluation=evaluation_of(paths.EVALUATION),
        checkpoints=runs_of_cell(paths.CHECKPOINT),
    output:
        runs_of_cell(paths.PREDICTIONS),
    log:
        paths.log_of("predict", paths.CELL),
    benchmark:
        paths.benchmark_of("predict", paths.CELL)
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        gpu=1 if TRAINS_ON_CUDA else 0,
    params:
        runs=run_configs,
    message:
        "Predicting the test text with {wildcards.scale}/{wildcards.model}/{wildcards.activation}"
    script:
        "../workflow/scripts/predict.py"
