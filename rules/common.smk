"""Functions that several rules use; the logic is in the library."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from actrepro.config.names import activation_names
from actrepro.config.plan import Plan
from actrepro.config.reading import parse_study
from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.core.files import sha256_of
from actrepro.core.machine import cuda_build, cuda_usable
from actrepro.figures.catalogue import figure_names, figure_sources
from actrepro.provenance.codes import Codes
from actrepro.provenance.fingerprint import module_of_model
from actrepro.replication.archive import record_digests


def or_workflow_error(function, *arguments):
    """Call the library, and turn a user's mistake into a message without a traceback."""
    try:
        return function(*arguments)
    except ActreproError as error:
        raise WorkflowError(str(error))


STUDY = or_workflow_error(parse_study, config)
PLAN = Plan(STUDY)
# Pages whose paths are printed at the end.
PAGES = [paths.REPORT, paths.BENCHMARK_SVG]
CODES = Codes(Path(workflow.basedir, "workflow/scripts"))
# Captions of Snakemake's report quote these keys. A command line may give text for a list, so
# the parsed values replace it.
config.update(
    STUDY.model_dump(mode="json", include={"models", "activations", "seeds", "scales"})
)
TRAINS_ON_CUDA = STUDY.device == "cuda" or (STUDY.device == "auto" and cuda_usable())
# Looked up once, not for every job of a large study.
GPU_UNKNOWN = STUDY.device == "auto" and cuda_build() and not cuda_usable()


def fingerprint(script, modules=(), activations=None):
    """Return the parameter that makes a result stale when the code behind it has changed."""
    return or_workflow_error(CODES.fingerprint, script, modules, activations)


def code(script, *modules):
    """Return the fingerprint of a script and of modules that it imports by name at run time."""
    return lambda wildcards: fingerprint(
        script, [module.format(**wildcards) for module in modules]
    )


def code_of_runs(script):
    """Return the fingerprint of a script that builds a model with one activation, or with each."""

    def of_model(wildcards):
        own = "activation" in wildcards.keys()
        used = [wildcards.activation] if own else activations_of(wildcards)
        return fingerprint(script, [model_module(wildcards.model)], used)

    return of_model


def model_module(model):
    return module_of_model(model, STUDY.custom_models.get(model))


def one_of(names):
    """Return a wildcard's constraint: one of these names."""
    return "|".join(sorted(names, key=len, reverse=True))


def retry_scaled(amount):
    """Multiply an amount of a resource by the number of the attempt."""
    return lambda wildcards, attempt: amount * attempt


def minutes_for(minutes):
    """Return the minutes of a job on a scale's runs: few if the runs last seconds."""

    def runtime(wildcards, attempt):
        short = wildcards.scale in STUDY.trained_together
        return attempt * (min(5, minutes) if short else minutes)

    return runtime


def gpus(wildcards):
    """Return the number of GPUs of a job that computes with torch.

    A machine that submits jobs to others does not see their GPUs, so it refuses to guess.
    """
    hands_out = workflow.is_main_process and workflow.non_local_exec
    if hands_out and GPU_UNKNOWN:
        raise WorkflowError(
            "device: auto was asked for, and this machine, which hands the jobs to others, has "
            "no GPU to go by; say --config device=cuda (each training job asks for a GPU) or "
            "device=cpu"
        )
    return 1 if TRAINS_ON_CUDA else 0


def protocol_of(wildcards):
    return PLAN.study_at(wildcards.scale).protocol(wildcards.scale)


def seeds_of(wildcards):
    return list(PLAN.study_at(wildcards.scale).seeds)


def activations_of(wildcards):
    return list(PLAN.study_at(wildcards.scale).activations)


def corpus_of(wildcards):
    return paths.at(paths.CORPUS, corpus=protocol_of(wildcards).corpus)


def evaluation_of(pattern):
    """Return the evaluation set (or its manifest) that all runs of a scale predict."""

    def path(wildcards):
        protocol = protocol_of(wildcards)
        return paths.at(pattern, corpus=protocol.corpus, context=protocol.context)

    return path


def every(pattern):
    """Return a file for each model, activation and seed that the job's wildcards leave open."""
    return lambda wildcards: PLAN.files(pattern, **wildcards)


def figure_input(name):
    """Return the files that a figure needs besides the statistics: none for most figures."""
    return lambda wildcards: [
        path
        for pattern in figure_sources(wildcards.figure)[name]
        for path in PLAN.files(pattern, scale=wildcards.scale)
    ]


def figures_of(scales):
    names = figure_names(STUDY.models, STUDY.activations)
    return paths.each(paths.FIGURE_SVG, scale=scales, figure=names)


def summary_targets(scale):
    """Return the paths of a scale's statistics, tables and summary."""
    patterns = (paths.SCALE_STATS, *paths.TABLES, paths.SUMMARY)
    return [paths.at(pattern, scale=scale) for pattern in patterns]


def scale_targets(scale):
    """Return the paths of a scale's statistics, tables, summary and figures."""
    return [*summary_targets(scale), *figures_of([scale])]


def existing(files):
    """Return the files that exist, with their hashes."""
    return {path: sha256_of(path) for path in files if os.path.exists(path)}


def existing_records(wildcards):
    """Return records of the study's and of the workflow's folder, with a hash of each."""
    places = (paths.RECORDED, os.path.join(workflow.basedir, paths.RECORDED))
    return record_digests(Path(os.path.relpath(place)) for place in places)


def print_targets():
    files = [*PAGES, *PLAN.files(paths.SUMMARY), *PLAN.files(paths.ELSEWHERE)]
    made = [path for path in files if os.path.exists(path)]
    print("\n".join(["", *(f"  {path}" for path in made)]))
