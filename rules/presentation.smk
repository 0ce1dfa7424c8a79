"""Figures, the summary and the report, from results files, without computation."""

from actrepro.figures.catalogue import GROUPS, figure_group, figure_title

COMPARISONS = PLAN.files(paths.ELSEWHERE)


# These last seconds, so they do not wait in a cluster's queue.
localrules:
    figure,
    summary_text,
    report,


rule figure:
    input:
        stats=paths.SCALE_STATS,
        histories=figure_input("histories"),
        breakdowns=figure_input("breakdowns"),
        models=figure_input("models"),
    output:
        svg=report(
            paths.FIGURE_SVG,
            caption="../resources/captions/figure.rst",
            category="Scale {scale}",
            subcategory=lambda wildcards: GROUPS[figure_group(wildcards.figure)],
            labels=lambda wildcards: {"figure": figure_title(wildcards.figure)},
        ),
        png=paths.FIGURE_PNG,
    log:
        paths.log_of("figure", paths.FIGURE_SVG),
    benchmark:
        paths.benchmark_of("figure", paths.FIGURE_SVG)
    conda:
        "../envs/presentation.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(2000),
        runtime=retry_scaled(10),
    params:
        code=code("figure.py"),
    message:
        "Drawing {wildcards.scale}: {wildcards.figure}"
    script:
        "../workflow/scripts/figure.py"


rule summary_text:
    input:
        paths.SCALE_STATS,
    output:
        paths.SUMMARY,
    log:
        paths.log_of("summary_text", paths.SCALE),
    benchmark:
        paths.benchmark_of("summary_text", paths.SCALE)
    conda:
        "../envs/presentation.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(1000),
        runtime=retry_scaled(10),
    params:
        code=code("summary.py"),
    message:
        "Writing the summary of {wildcards.scale}"
    script:
        "../workflow/scripts/summary.py"


rule report:
    input:
        stats=PLAN.files(paths.SCALE_STATS),
        corpora=[
            paths.at(paths.CORPUS_MANIFEST, corpus=STUDY.protocols[scale].corpus)
            for scale in STUDY.scales
        ],
        figures=figures_of(STUDY.scales),
        breakdowns=PLAN.files(paths.BREAKDOWN),
        models=paths.MODELS,
        costs=PLAN.files(paths.COSTS),
        elsewhere=COMPARISONS if STUDY.elsewhere else [],
    output:
        page=report(
            paths.REPORT,
            caption="../resources/captions/report.rst",
            category="Report",
            labels={"page": "The study's report"},
        ),
        text=paths.REPORT_TEXT,
    log:
        paths.log_of("report", paths.REPORT),
    benchmark:
        paths.benchmark_of("report", paths.REPORT)
    conda:
        "../envs/presentation.yaml"
    threads: 1
    resources:
        mem_mb=retry_scaled(4000),
        runtime=retry_scaled(10),
    params:
        code=code("report.py"),
        study=STUDY.study,
        # Times of jobs are no inputs, because they would make the report stale.
        benchmarks=paths.BENCHMARKS,
        earlier=lambda wildcards: existing([paths.AUDIT_SECTION]),
        # Comparisons that exist, unless the config asks for one, which is then an input.
        elsewhere=lambda wildcards: {} if STUDY.elsewhere else existing(COMPARISONS),
        records=existing_records,
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report.py"
