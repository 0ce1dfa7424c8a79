"""Does the choice of activation function change how reproducible a language model is?

The default target is the study that the config names, up to its report.
"""

import os
import sys

from snakemake.utils import min_version

min_version("9.19")

# The library beside the workflow serves where none is installed. Jobs get Snakemake's search
# path behind their own, so those in conda's environments find it too.
sys.path.append(os.path.join(workflow.basedir, "src"))


CONFIG = "config/config.yaml"


# The folder of a study may have its own.
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


# After the rules, some of which add studies with scales of their own.
wildcard_constraints:
    corpus=one_of(STUDY.corpora),
    scale=one_of([*STUDY.protocols, *PLAN.beside]),
    model=one_of(STUDY.known_models),
    activation=one_of(activation_names()),
    figure=r"[a-z0-9_-]+",
    seed=r"\d+",
    context=r"\d+",


# A scale's name is a target beside those of the rules.
or_workflow_error(STUDY.refuse_taken, [rule.name for rule in workflow.rules])


# `snakemake cpu` is everything of one scale, whatever the study's scales are.
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
