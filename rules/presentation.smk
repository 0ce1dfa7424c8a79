"""Figures, the summary and the report: no computation, only what results files say."""


# Seconds each: not worth a place in a cluster's queue.
localrules:
    figure,
    summary_text,
    report,


rule figure:
    input:
        stats=paths.SCALE_STATS,
        histories=histories_of_figure,
        breakdowns=breakdowns_of_figure,
        models=models_of_figure,
    output:
        svg=report(
            paths.FIGURE_SVG,
            caption="../resources/captions/figure.rst",
            category="Scale {scale}",
            subcategory=figure_group,
            labels=figure_labels,
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
        mem_mb=growing(2000),
        runtime=growing(10),
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
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("summary.py"),
    message:
        "Writing the summary of {wildcards.scale}"
    script:
        "../workflow/scripts/summary.py"


rule report:
    input:
        stats=[paths.at(paths.SCALE_STATS, scale=scale) for scale in STUDY.scales],
        corpora=[
            paths.at(paths.CORPUS_MANIFEST, corpus=STUDY.protocols[scale].corpus)
            for scale in STUDY.scales
        ],
        figures=[
            path
            for scale in STUDY.scales
            for path in figures_of_scale(paths.FIGURE_SVG, scale)
        ],
        breakdowns=breakdowns_of_study(),
        models=paths.MODELS,
        elsewhere=comparisons(),
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
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        code=code("report.py"),
        study=STUDY.study,
        # Times of jobs are read as they are: as inputs they would make the report stale.
        benchmarks=paths.BENCHMARKS,
        audit=existing_audit,
        elsewhere=existing_comparisons,
        records=existing_records,
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report.py"
