"""The audit: the earlier study's smallest scale again, controls, and a verdict on every claim.

Its runs lie below `results/audit/` and are in no study's tables.
"""

AUDITED = STUDY.audit.models[0]


localrules:
    verdicts,
    audit_page,


# How many files a job leaves depends on the seeds, and an output knows no wildcards.
use rule predict as predict_audited with:
    output:
        paths.each(paths.PREDICTIONS, seed=STUDY.audit.seeds),
    wildcard_constraints:
        scale=STUDY.audit_scale,


use rule predict_matched as predict_matched_audited with:
    output:
        matched=paths.MATCHED,
        predictions=paths.each(
            paths.MATCHED_PREDICTIONS,
            activation=STUDY.audit.activations,
            seed=STUDY.audit.seeds,
        ),
    wildcard_constraints:
        scale=STUDY.audit_scale,


rule facts:
    input:
        corpus=corpus_of_audit(paths.CORPUS),
    output:
        paths.FACTS,
    log:
        paths.log_of("facts", paths.FACTS),
    benchmark:
        paths.benchmark_of("facts", paths.FACTS)
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(10),
    params:
        code=code("facts.py", "actrepro.config.study", "actrepro.models.zoo.*"),
        study=audit_config,
    message:
        "Counting parameters and looking at activations, for the audit"
    script:
        "../workflow/scripts/facts.py"


rule control:
    input:
        corpus=corpus_of_control,
    output:
        paths.CONTROL,
    log:
        paths.log_of("control", paths.CONTROL),
    benchmark:
        paths.benchmark_of("control", paths.CONTROL)
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(30),
        gpu=gpus,
        jobs_per_gpu=STUDY.jobs_per_gpu,
    params:
        code=code(
            "control.py",
            "actrepro.audit.controls.trained.{control}",
            "actrepro.models.zoo.*",
        ),
        protocol=control_config,
        device=STUDY.device,
    message:
        "Making the mistake {wildcards.control} on purpose"
    script:
        "../workflow/scripts/control.py"


rule control_of_runs:
    input:
        corpus=corpus_of_audit(paths.CORPUS),
        evaluation=evaluation_of_audit(paths.EVALUATION),
        predictions=runs_of_audit(paths.PREDICTIONS),
        stats=stats_of_audit(AUDITED),
    output:
        paths.at(paths.CONTROL, control="unpaired"),
    log:
        paths.log_of("control_of_runs", paths.AUDIT),
    benchmark:
        paths.benchmark_of("control_of_runs", paths.AUDIT)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(10),
    params:
        code=code("control_of_runs.py"),
        activations=list(STUDY.audit.activations),
        seeds=list(STUDY.audit.seeds),
    message:
        "Making the mistake unpaired on purpose"
    script:
        "../workflow/scripts/control_of_runs.py"


# Results of other scales are evidence where they exist, and are never made for it: they
# are no inputs, and a change of theirs is seen by their hashes.
rule verdicts:
    input:
        claims=[claims_file(name) for name in CLAIM_FILES],
        stats=[stats_of_audit(model) for model in STUDY.audit.models],
        controls=control_files(),
        facts=paths.FACTS,
    output:
        json=paths.CLAIMS_JSON,
        table=report(
            paths.CLAIMS_TABLE,
            caption="../resources/captions/claims.rst",
            category="Audit",
            subcategory="Tables",
            labels={"table": "claims", "a row per": "claim"},
        ),
    log:
        paths.log_of("verdicts", paths.AUDIT),
    benchmark:
        paths.benchmark_of("verdicts", paths.AUDIT)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(10),
    params:
        code=code(
            "verdicts.py",
            "actrepro.audit.checks.measured.*",
            "actrepro.audit.checks.printed.*",
            "actrepro.config.study",
        ),
        study=audit_config,
        existing=existing_stats,
        records=existing_records,
    message:
        "Giving every claim of the earlier study its verdict"
    script:
        "../workflow/scripts/verdicts.py"


rule audit_page:
    input:
        paths.CLAIMS_JSON,
    output:
        page=report(
            paths.AUDIT_PAGE,
            caption="../resources/captions/audit.rst",
            category="Audit",
            subcategory="Page",
            labels={"page": "A verdict on every claim"},
        ),
        section=paths.AUDIT_SECTION,
    log:
        paths.log_of("audit_page", paths.AUDIT),
    benchmark:
        paths.benchmark_of("audit_page", paths.AUDIT)
    conda:
        "../envs/presentation.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(10),
    params:
        code=code("audit_page.py"),
        records=existing_records,
    message:
        "Writing the audit's page"
    script:
        "../workflow/scripts/audit_page.py"
