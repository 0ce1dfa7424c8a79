"""Functions of the rules: what a file is made from. All logic is in the library."""

import os

from snakemake.exceptions import WorkflowError

from actrepro import paths
from actrepro.config import parse_study
from actrepro.errors import ActreproError
from actrepro.figures import figure_names
from actrepro.provenance import cuda_usable
from actrepro.registry import activation_names


def checked_study():
    """The study, checked before anything is planned."""
    try:
        return parse_study(config)
    except ActreproError as error:
        raise WorkflowError(str(error))


STUDY = checked_study()
ENVIRONMENT = "../envs/actrepro.yaml"
TRAINS_ON_CUDA = STUDY.device == "cuda" or (STUDY.device == "auto" and cuda_usable())


def one_of(names):
    """A wildcard's constraint: one of these names."""
    return "|".join(sorted(names, key=len, reverse=True))


def protocol_of(wildcards):
    return STUDY.protocols[wildcards.scale]


def corpus_of(wildcards):
    return paths.at(paths.CORPUS, corpus=protocol_of(wildcards).corpus)


def evaluation_of(pattern):
    """The evaluation set (or its manifest) that all runs of a scale predict."""

    def path(wildcards):
        protocol = protocol_of(wildcards)
        return paths.at(pattern, corpus=protocol.corpus, block=protocol.context)

    return path


def runs_of_cell(pattern):
    """A cell's files, one per seed."""
    return [paths.at(pattern, seed=seed) for seed in STUDY.seeds]


def cells_of_model(pattern):
    """A model's files, one per activation."""
    return [
        paths.at(pattern, activation=activation) for activation in STUDY.activations
    ]


def runs_of_model(pattern):
    """A model's files, one per activation and seed."""
    return [path for cell in cells_of_model(pattern) for path in runs_of_cell(cell)]


def models_of_scale(pattern):
    """A scale's files, one per model."""
    return [paths.at(pattern, model=model) for model in STUDY.models]


def histories_of_figure(wildcards):
    """Training curves need the histories of their model; other figures need none."""
    if not wildcards.figure.startswith("curves-"):
        return []
    model = wildcards.figure.removeprefix("curves-")
    return [
        paths.at(path, scale=wildcards.scale, model=model)
        for path in runs_of_model(paths.HISTORY)
    ]


def figures_of_scale(pattern, scale):
    return [
        paths.at(pattern, scale=scale, figure=figure)
        for figure in figure_names(STUDY.models)
    ]


def scale_targets(scale):
    """Everything of a scale: statistics with their tables, and figures."""
    return [
        paths.at(paths.SCALE_STATS, scale=scale),
        *figures_of_scale(paths.FIGURE_SVG, scale),
    ]


def run_config(wildcards):
    """The slice of the study that one training run depends on."""
    return STUDY.run_config(
        wildcards.scale, wildcards.model, wildcards.activation, int(wildcards.seed)
    ).model_dump(mode="json")


def run_configs(wildcards):
    """The slices of a cell's runs, one per seed."""
    return [
        STUDY.run_config(
            wildcards.scale, wildcards.model, wildcards.activation, seed
        ).model_dump(mode="json")
        for seed in STUDY.seeds
    ]


def run_configs_of_model(wildcards):
    """The slices of a model's runs, by activation and seed."""
    return [
        STUDY.run_config(wildcards.scale, wildcards.model, activation, seed).model_dump(
            mode="json"
        )
        for activation in STUDY.activations
        for seed in STUDY.seeds
    ]


def first_runs(wildcards):
    """The slice of each activation's first run: gates look at fresh models."""
    return [
        STUDY.run_config(
            wildcards.scale, wildcards.model, activation, STUDY.seeds[0]
        ).model_dump(mode="json")
        for activation in STUDY.activations
    ]


def corpus_config(wildcards):
    return STUDY.corpora[wildcards.corpus].model_dump(mode="json")


def own_text(wildcards):
    """A user's text file; one that is missing is left to the job, whose message says more."""
    corpus = STUDY.corpora[wildcards.corpus]
    exists = corpus.source == "file" and corpus.path.exists()
    return [str(corpus.path)] if exists else []


def test_characters(wildcards):
    return STUDY.corpora[wildcards.corpus].test_characters


def print_targets():
    made = [path for path in (paths.REPORT,) if os.path.exists(path)]
    summaries = [paths.at(paths.SUMMARY, scale=scale) for scale in STUDY.scales]
    made += [path for path in summaries if os.path.exists(path)]
    print("\n".join(["", *(f"  {path}" for path in made)]))
