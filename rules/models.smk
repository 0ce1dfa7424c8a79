"""What models are made of and what they cost, for figures and the report; nothing is trained."""


rule models:
    input:
        corpora=corpora_of_study(paths.CORPUS_MANIFEST),
    output:
        paths.MODELS,
    log:
        paths.log_of("models", paths.MODELS),
    benchmark:
        paths.benchmark_of("models", paths.MODELS)
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=code_of_sizes("models.py"),
        runs=sizes_of_study,
        activations=list(STUDY.activations),
        scales=list(STUDY.scales),
        symbols=symbols_of_corpora,
    message:
        "Looking at what the models are made of"
    script:
        "../workflow/scripts/models.py"
