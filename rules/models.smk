"""Model cards: parts and costs of models, for figures and the report, without training."""


rule models:
    input:
        corpora=PLAN.corpora(paths.CORPUS_MANIFEST),
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
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(10),
    params:
        code=lambda wildcards: fingerprint(
            "models.py", [*map(model_module, STUDY.models)], STUDY.activations
        ),
        runs=lambda wildcards: PLAN.cards(),
        activations=list(STUDY.activations),
        scales=list(STUDY.scales),
        symbols={name: corpus.symbols for name, corpus in STUDY.corpora.items()},
    message:
        "Looking at what the models are made of"
    script:
        "../workflow/scripts/models.py"
