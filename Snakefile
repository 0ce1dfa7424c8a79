"""Effect of the activation function on the reproducibility of language models.

The default target is the study that the config names, up to its report.
"""

import os
import sys

from snakemake.utils import min_version

min_version("9.19")

# Use the library in the workflow's folder if none is installed. Jobs append Snakemake's search
# path to their own, so jobs in conda's environments find it too.
sys.path.append(os.path.join(workflow.basedir, "src"))


CONFIG = "config/config.yaml"


# A study's folder may have its own config.
configfile: CONFIG if os.path.exists(CONFIG) else os.path.join(workflow.basedir, CONFIG)


report: "resources/captions/workflow.rst"


include: "rules/common.smk"


localrules:
    all,
    benchmark,
    elsewhere,
    summary,


rule all:
    default_target: True
    input:
        paths.REPORT,
        [scale_targets(scale) for scale in STUDY.scales],


rule summary:
    input:
        [summary_targets(scale) for scale in STUDY.scales],


rule benchmark:
    input:
        paths.BENCHMARK,
        paths.BENCHMARK_SVG,


rule elsewhere:
    input:
        PLAN.files(paths.ELSEWHERE),


include: "rules/corpora.smk"
include: "rules/models.smk"
include: "rules/training.smk"
include: "rules/statistics.smk"
include: "rules/presentation.smk"
include: "rules/audit.smk"
include: "rules/benchmark.smk"
include: "rules/record.smk"
include: "rules/elsewhere.smk"


# After the rules, because some of them add studies with their own scales.
wildcard_constraints:
    corpus=one_of(STUDY.corpora),
    scale=one_of([*STUDY.protocols, *PLAN.beside]),
    model=one_of(STUDY.known_models),
    activation=one_of(activation_names()),
    figure=one_of(figure_names(STUDY.known_models, activation_names())),
    seed=r"\d+",
    context=r"\d+",


# A scale's name is a target, so it must not be the name of a rule.
or_workflow_error(STUDY.refuse_taken, [rule.name for rule in workflow.rules])


# `snakemake cpu` makes everything of one scale, even if the study does not list it.
for _scale in STUDY.protocols:

    rule:
        name:
            _scale
        input:
            scale_targets(_scale),
        localrule: True


onstart:
    CODES.remember()


onsuccess:
    print_targets()
