"""The audit: the earlier study's smallest scale, controls, and a verdict on every claim.

Its runs lie below `results/audit/` and are in no study's tables.
"""

from actrepro.audit import paths as audit_paths
from actrepro.audit.claims import CLAIM_FILES, CLAIMS_FOLDER, SCALES
from actrepro.audit.config import parse_audit

AUDIT = or_workflow_error(parse_audit, STUDY)
# The rules of studies also make the runs of the audit.
AUDITED = PLAN.beside[AUDIT.folder] = AUDIT.study_of(STUDY)
PAGES.insert(1, audit_paths.AUDIT_PAGE)
AUDITED_PROTOCOL = AUDITED.protocol(AUDIT.folder)
AUDITED_CORPUS = paths.at(paths.CORPUS, corpus=AUDITED_PROTOCOL.corpus)
# Models' statistics of other scales: evidence for the audit if they exist.
OTHER_STATS = paths.each(
    paths.MODEL_STATS,
    scale=[one for one in SCALES if one in STUDY.protocols and one != AUDIT.scale],
    model=STUDY.known_models,
)


wildcard_constraints:
    control=one_of(AUDIT.controls) or "none",


localrules:
    audit,
    verdicts,
    audit_page,


rule audit:
    input:
        audit_paths.AUDIT_PAGE,
        audit_paths.CLAIMS_JSON,
        audit_paths.CLAIMS_TABLE,


# The number of output files depends on the seeds, and outputs cannot be functions of wildcards.
use rule predict as predict_audited with:
    output:
        paths.each(paths.PREDICTIONS, seed=AUDIT.seeds),
    wildcard_constraints:
        scale=AUDIT.folder,


use rule predict_matched as predict_matched_audited with:
    output:
        matched=paths.MATCHED,
        predictions=paths.each(
            paths.MATCHED_PREDICTIONS,
            activation=AUDIT.activations,
            seed=AUDIT.seeds,
        ),
    wildcard_constraints:
        scale=AUDIT.folder,


rule facts:
    input:
        corpus=AUDITED_CORPUS,
    output:
        audit_paths.FACTS,
    log:
        paths.log_of("facts", audit_paths.FACTS),
    benchmark:
        paths.benchmark_of("facts", audit_paths.FACTS)
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(10),
    params:
        code=code("facts.py", "actrepro.config.study", "actrepro.models.zoo.*"),
        study=lambda wildcards: AUDIT.slice_of(STUDY).model_dump(mode="json"),
    message:
        "Counting parameters and looking at activations, for the audit"
    script:
        "../workflow/scripts/facts.py"


rule control:
    input:
        corpus=lambda wildcards: paths.at(
            paths.CORPUS, corpus=AUDIT.controls[wildcards.control].corpus
        ),
    output:
        audit_paths.CONTROL,
    log:
        paths.log_of("control", audit_paths.CONTROL),
    benchmark:
        paths.benchmark_of("control", audit_paths.CONTROL)
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
        protocol=lambda wildcards: AUDIT.controls[wildcards.control].model_dump(
            mode="json"
        ),
        device=STUDY.device,
    message:
        "Making the mistake {wildcards.control} on purpose"
    script:
        "../workflow/scripts/control.py"


rule control_of_runs:
    input:
        corpus=AUDITED_CORPUS,
        evaluation=paths.at(
            paths.EVALUATION,
            corpus=AUDITED_PROTOCOL.corpus,
            context=AUDITED_PROTOCOL.context,
        ),
        predictions=PLAN.files(
            paths.PREDICTIONS, scale=AUDIT.folder, model=AUDIT.models[0]
        ),
        stats=paths.at(paths.MODEL_STATS, scale=AUDIT.folder, model=AUDIT.models[0]),
    output:
        paths.at(audit_paths.CONTROL, control="unpaired"),
    log:
        paths.log_of("control_of_runs", audit_paths.AUDIT),
    benchmark:
        paths.benchmark_of("control_of_runs", audit_paths.AUDIT)
    conda:
        "../envs/statistics.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(10),
    params:
        code=code("control_of_runs.py"),
        activations=list(AUDIT.activations),
        seeds=list(AUDIT.seeds),
    message:
        "Making the mistake unpaired on purpose"
    script:
        "../workflow/scripts/control_of_runs.py"


# Results of other scales are evidence if they exist, and are never made for the audit. So they
# are no inputs; a parameter with their hashes shows a change.
rule verdicts:
    input:
        claims=[
            os.path.join(workflow.basedir, CLAIMS_FOLDER, name) for name in CLAIM_FILES
        ],
        stats=PLAN.files(paths.MODEL_STATS, scale=AUDIT.folder),
        # The controls that train, and the one that only reads runs.
        controls=paths.each(audit_paths.CONTROL, control=[*AUDIT.controls, "unpaired"]),
        facts=audit_paths.FACTS,
    output:
        json=audit_paths.CLAIMS_JSON,
        table=report(
            audit_paths.CLAIMS_TABLE,
            caption="../resources/captions/claims.rst",
            category="Audit",
            subcategory="Tables",
            labels={"table": "claims", "a row per": "claim"},
        ),
    log:
        paths.log_of("verdicts", audit_paths.AUDIT),
    benchmark:
        paths.benchmark_of("verdicts", audit_paths.AUDIT)
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
        study=lambda wildcards: AUDIT.slice_of(STUDY).model_dump(mode="json"),
        existing=lambda wildcards: existing(OTHER_STATS),
        records=existing_records,
    message:
        "Giving every claim of the earlier study its verdict"
    script:
        "../workflow/scripts/verdicts.py"


rule audit_page:
    input:
        audit_paths.CLAIMS_JSON,
    output:
        page=report(
            audit_paths.AUDIT_PAGE,
            caption="../resources/captions/audit.rst",
            category="Audit",
            subcategory="Page",
            labels={"page": "A verdict on every claim"},
        ),
        section=paths.AUDIT_SECTION,
    log:
        paths.log_of("audit_page", audit_paths.AUDIT),
    benchmark:
        paths.benchmark_of("audit_page", audit_paths.AUDIT)
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
