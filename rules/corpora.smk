"""Corpora and the evaluation sets frozen from them."""


# These need internet, which cluster nodes may lack, and last seconds.
localrules:
    corpus,
    evaluation_set,


rule corpus:
    input:
        lambda wildcards: STUDY.corpora[wildcards.corpus].own_text(),
    output:
        corpus=paths.CORPUS,
        manifest=paths.CORPUS_MANIFEST,
    log:
        paths.log_of("corpus", paths.CORPUS),
    benchmark:
        paths.benchmark_of("corpus", paths.CORPUS)
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(30),
    params:
        # Only plays are cleaned, so only their corpora depend on that code.
        code=lambda wildcards: fingerprint(
            "corpus.py",
            (
                ["actrepro.data.plays"]
                if STUDY.corpora[wildcards.corpus].source == "sdist"
                else []
            ),
        ),
        corpus=lambda wildcards: STUDY.corpora[wildcards.corpus].model_dump(mode="json"),
    message:
        "Fetching and cleaning the corpus {wildcards.corpus}"
    script:
        "../workflow/scripts/corpus.py"


rule evaluation_set:
    input:
        corpus=paths.CORPUS,
    output:
        evaluation=paths.EVALUATION,
        manifest=paths.EVALUATION_MANIFEST,
    log:
        paths.log_of("evaluation_set", paths.EVALUATION),
    benchmark:
        paths.benchmark_of("evaluation_set", paths.EVALUATION)
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(10),
    params:
        code=code("evaluation_set.py"),
        test_characters=lambda wildcards: STUDY.corpora[
            wildcards.corpus
        ].test_characters,
    message:
        "Freezing the evaluation set of {wildcards.corpus} for contexts of {wildcards.context}"
    script:
        "../workflow/scripts/evaluation_set.py"
