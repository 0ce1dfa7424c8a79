"""Functions of the rules: what a file is made from. All logic is in the library."""

import os
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from actrepro.core import paths
from actrepro.audit.claims import CLAIM_FILES, CLAIMS_FOLDER, SCALES
from actrepro.config.reading import parse_study
from actrepro.core.errors import ActreproError
from actrepro.provenance.explain import remember_code
from actrepro.figures.catalogue import (
    BREAKDOWNS,
    GROUPS,
    MODELS,
    OF_ACTIVATION,
    OF_MODEL,
    figure_kind,
    figure_names,
    figure_need,
    figure_title,
)
from actrepro.figures.catalogue import figure_group as group_of_figure
from actrepro.core.files import sha256_of
from actrepro.provenance.fingerprint import module_of_model, source_of_script
from actrepro.train.needs import training_megabytes, training_minutes
from actrepro.core.machine import cuda_build, cuda_usable
from actrepro.replication.archive import copied_files, record_digests
from actrepro.config.names import activation_names
from actrepro.replication.folder import found_in, require_other


def told(function, *arguments):
    """What a function of the library returns; a user's mistake is told without a traceback."""
    try:
        return function(*arguments)
    except ActreproError as error:
        raise WorkflowError(str(error))


STUDY = told(parse_study, config)
# Captions of Snakemake's report quote these, and a command line may give text for a list.
config.update(
    STUDY.model_dump(mode="json", include={"models", "activations", "seeds", "scales"})
)
SCRIPTS = "workflow/scripts"
# What the fingerprints of code stand for.
CODE = {}
TRAINS_ON_CUDA = STUDY.device == "cuda" or (STUDY.device == "auto" and cuda_usable())
# Asked once: every job of a large study would ask for it anew.
NOTHING_TO_GO_BY = STUDY.device == "auto" and cuda_build() and not cuda_usable()


def script_path(script):
    return Path(workflow.basedir, SCRIPTS, script)


@cache
def code_of(script, modules):
    return told(source_of_script, script_path(script), modules)


@cache
def code_fingerprint(script, modules=(), activations=None):
    """The parameter that makes a result stale when the code it depends on has changed."""
    source = code_of(script, modules)
    fingerprint = told(source.digest, activations)[:16]
    hashes = source.hashes(activations)
    CODE[fingerprint] = (hashes, script_path(script), modules, activations)
    return fingerprint


def remember_codes():
    """When jobs run, not when they are planned: a dry run leaves nothing."""
    for fingerprint, meaning in CODE.items():
        remember_code(fingerprint, *meaning)


def code(script, *modules):
    """Of a script, with modules that it imports by a name put together at run time."""
    return lambda wildcards: code_fingerprint(
        script, tuple(module.format(**wildcards) for module in modules)
    )


def code_of_model(script):
    """Of a script that builds a model with each of its activations."""
    return lambda wildcards: code_fingerprint(
        script, (model_module(wildcards.model),), tuple(activations_of(wildcards))
    )


def code_of_cell(script):
    """Of a script that builds a model with one activation."""
    return lambda wildcards: code_fingerprint(
        script, (model_module(wildcards.model),), (wildcards.activation,)
    )


def code_of_sizes(script):
    """Of a script that builds every model of the study with each of its activations."""
    return lambda wildcards: code_fingerprint(
        script, tuple(map(model_module, STUDY.models)), tuple(STUDY.activations)
    )


def code_of_corpus(script):
    """Of a script that makes a corpus; only one of plays depends on how they are cleaned."""

    def fingerprint(wildcards):
        plays = STUDY.corpora[wildcards.corpus].source == "sdist"
        return code_fingerprint(script, ("actrepro.data.plays",) if plays else ())

    return fingerprint


def code_of_benchmark(script):
    """Of a script that starts programs of the library, which train models."""

    def fingerprint(wildcards):
        benchmark = STUDY.benchmark_config()
        models = sorted({run.model for run in (*benchmark.runs, benchmark.base)})
        modules = ("actrepro.benchmark.programs.*", "actrepro.train.loop")
        return code_fingerprint(script, (*modules, *map(model_module, models)))

    return fingerprint


def code_of_sizes(script):
    """Of a script that builds the study's models with its activations."""
    models = tuple(map(model_module, STUDY.models))
    return lambda wildcards: code_fingerprint(script, models, tuple(STUDY.activations))


def model_module(model):
    return module_of_model(model, STUDY.custom_models.get(model))


def one_of(names):
    """A wildcard's constraint: one of these names."""
    return "|".join(sorted(names, key=len, reverse=True))


def growing(amount):
    """So much of a resource, and as much more at each further attempt."""
    return lambda wildcards, attempt: amount * attempt


def lasting(minutes):
    """Minutes of a job on a scale's runs: few where the runs themselves last seconds."""

    def runtime(wildcards, attempt):
        short = wildcards.scale in STUDY.trained_together
        return attempt * (min(5, minutes) if short else minutes)

    return runtime


def gpus(wildcards):
    """How many GPUs a job takes that computes with torch.

    A machine that hands jobs to others does not see their GPUs: there, nothing is guessed.
    """
    hands_out = workflow.is_main_process and workflow.non_local_exec
    if hands_out and NOTHING_TO_GO_BY:
        raise WorkflowError(
            "device: auto was asked for, and this machine, which hands the jobs to others, has "
            "no GPU to go by; say --config device=cuda (each training job asks for a GPU) or "
            "device=cpu"
        )
    return 1 if TRAINS_ON_CUDA else 0


def memory_of_training(wildcards, attempt):
    return attempt * training_megabytes(protocol_of(wildcards), TRAINS_ON_CUDA)


def minutes_of_training(wildcards, attempt):
    alone = "seed" in wildcards.keys()
    runs = 1 if alone else len(seeds_of(wildcards))
    return attempt * training_minutes(protocol_of(wildcards), runs, TRAINS_ON_CUDA)


def part_of(wildcards):
    """Whose models, activations and seeds a scale runs: the study's or the audit's."""
    return STUDY.part(wildcards.scale)


def protocol_of(wildcards):
    return STUDY.protocol(wildcards.scale)


def seeds_of(wildcards):
    return list(part_of(wildcards).seeds)


def activations_of(wildcards):
    return list(part_of(wildcards).activations)


def models_of(wildcards):
    return list(part_of(wildcards).models)


def corpus_of(wildcards):
    return paths.at(paths.CORPUS, corpus=protocol_of(wildcards).corpus)


def evaluation_of(pattern):
    """The evaluation set (or its manifest) that all runs of a scale predict."""

    def path(wildcards):
        protocol = protocol_of(wildcards)
        return paths.at(pattern, corpus=protocol.corpus, block=protocol.context)

    return path


def outputs_of_cell(pattern, part):
    """What a job leaves that predicts a cell's runs; an output knows no wildcards yet."""
    return [paths.at(pattern, seed=seed) for seed in part.seeds]


def outputs_of_model(pattern, part):
    """What a job leaves that predicts all of a model's runs."""
    return [
        paths.at(path, activation=activation)
        for activation in part.activations
        for path in outputs_of_cell(pattern, part)
    ]


def filled(patterns, wildcards):
    return [paths.at(pattern, **wildcards) for pattern in patterns]


def runs_of_cell(pattern):
    """A cell's files, one per seed."""
    return lambda wildcards: filled(
        outputs_of_cell(pattern, part_of(wildcards)), wildcards
    )


def cells_of_model(pattern):
    """A model's files, one per activation."""

    def files(wildcards):
        return [
            paths.at(pattern, **wildcards, activation=activation)
            for activation in activations_of(wildcards)
        ]

    return files


def runs_of_model(pattern):
    """A model's files, one per activation and seed."""
    return lambda wildcards: filled(
        outputs_of_model(pattern, part_of(wildcards)), wildcards
    )


def run_names(wildcards):
    """The model, activation and seed of each run of a scale."""
    return [
        (model, activation, seed)
        for model in models_of(wildcards)
        for activation in activations_of(wildcards)
        for seed in seeds_of(wildcards)
    ]


def runs_at(scale, pattern):
    """A file of every run at a scale."""
    part = STUDY.part(scale)
    return [
        paths.at(path, scale=scale, model=model)
        for model in part.models
        for path in outputs_of_model(pattern, part)
    ]


def runs_of_scale(pattern):
    """A scale's files, one per run."""
    return lambda wildcards: runs_at(wildcards.scale, pattern)


def models_of_scale(pattern):
    """A scale's files, one per model."""

    def files(wildcards):
        return [
            paths.at(pattern, **wildcards, model=model)
            for model in models_of(wildcards)
        ]

    return files


def histories_of_figure(wildcards):
    """Training curves need the histories of their runs; other figures need none."""
    need = figure_need(wildcards.figure)
    if need not in (OF_MODEL, OF_ACTIVATION):
        return []
    part = part_of(wildcards)
    models, activations = part.models, part.activations
    _, shown = figure_kind(wildcards.figure)
    if need == OF_MODEL:
        models = (shown,)
    else:
        activations = (shown,)
    return [
        paths.at(
            paths.HISTORY,
            scale=wildcards.scale,
            model=model,
            activation=activation,
            seed=seed,
        )
        for model in models
        for activation in activations
        for seed in part.seeds
    ]


def breakdowns_of_figure(wildcards):
    """Where runs disagree, of every model, for the figures that show it."""
    if figure_need(wildcards.figure) != BREAKDOWNS:
        return []
    return models_of_scale(paths.BREAKDOWN)(wildcards)


def models_of_figure(wildcards):
    """What the figure of activations is made from; other figures need nothing of it."""
    return [paths.MODELS] if figure_need(wildcards.figure) == MODELS else []


def figures_of_scale(pattern, scale):
    return [
        paths.at(pattern, scale=scale, figure=figure)
        for figure in figure_names(STUDY.models, STUDY.activations)
    ]


def breakdowns_of_study():
    """Where seeds disagree, of every model at every scale of the study."""
    return [
        paths.at(paths.BREAKDOWN, scale=scale, model=model)
        for scale in STUDY.scales
        for model in STUDY.models
    ]


def corpora_of_study(pattern):
    """A file of each corpus that the study's scales use, once."""
    corpora = dict.fromkeys(STUDY.protocol(scale).corpus for scale in STUDY.scales)
    return [paths.at(pattern, corpus=corpus) for corpus in corpora]


def sizes_of_study(wildcards):
    """A slice of every scale of the config and model of the study, with the first activation."""
    return [
        STUDY.run_config(scale, model, STUDY.activations[0], seed=0).model_dump(
            mode="json"
        )
        for scale in STUDY.protocols
        for model in STUDY.models
    ]


def symbols_of_corpora(wildcards):
    """How many symbols each corpus declares."""
    return {name: corpus.symbols for name, corpus in STUDY.corpora.items()}


def figure_group(wildcards):
    """Where a figure stands in Snakemake's report."""
    return GROUPS[group_of_figure(wildcards.figure)]


def figure_labels(wildcards):
    return {"figure": figure_title(wildcards.figure)}


def summary_targets(scale):
    """A scale's statistics, tables and summary."""
    patterns = (paths.SCALE_STATS, *paths.TABLES, paths.SUMMARY)
    return [paths.at(pattern, scale=scale) for pattern in patterns]


def scale_targets(scale):
    """Everything of a scale: statistics, tables, summary and figures."""
    return [
        *summary_targets(scale),
        *figures_of_scale(paths.FIGURE_SVG, scale),
    ]


def cell_config(wildcards):
    """The slice of the study that training a cell's runs depends on, whatever their seeds."""
    run = STUDY.run_config(
        wildcards.scale, wildcards.model, wildcards.activation, seed=0
    )
    return run.model_dump(mode="json", exclude={"seed"})


def run_configs(wildcards):
    """The slices of a cell's runs, one per seed."""
    return [
        STUDY.run_config(
            wildcards.scale, wildcards.model, wildcards.activation, seed
        ).model_dump(mode="json")
        for seed in seeds_of(wildcards)
    ]


def run_configs_of_model(wildcards):
    """The slices of a model's runs, by activation and seed."""
    return [
        STUDY.run_config(wildcards.scale, wildcards.model, activation, seed).model_dump(
            mode="json"
        )
        for activation in activations_of(wildcards)
        for seed in seeds_of(wildcards)
    ]


def first_runs(wildcards):
    """The slice of each activation's first run: gates look at fresh models."""
    return [
        STUDY.run_config(
            wildcards.scale, wildcards.model, activation, seeds_of(wildcards)[0]
        ).model_dump(mode="json")
        for activation in activations_of(wildcards)
    ]


def sizes_of_study(wildcards):
    """The slice of a run of each model of the study at each scale there is.

    On what device a study trains changes no size.
    """
    first = STUDY.activations[0]
    return [
        STUDY.run_config(scale, model, first, seed=0)
        .model_copy(update={"device": "auto"})
        .model_dump(mode="json")
        for scale in STUDY.protocols
        for model in STUDY.models
    ]


def symbols_of_corpora(wildcards):
    """How many symbols each corpus declares."""
    return {name: corpus.symbols for name, corpus in STUDY.corpora.items()}


def corpora_of_study(pattern):
    """A file of each corpus of the study, once."""
    names = dict.fromkeys(STUDY.protocols[scale].corpus for scale in STUDY.scales)
    return [paths.at(pattern, corpus=name) for name in names]


def corpus_config(wildcards):
    return STUDY.corpora[wildcards.corpus].model_dump(mode="json")


def own_text(wildcards):
    """A user's text file; one that is missing is left to the job, whose message says more."""
    corpus = STUDY.corpora[wildcards.corpus]
    exists = corpus.source == "file" and corpus.path.exists()
    return [str(corpus.path)] if exists else []


def test_characters(wildcards):
    return STUDY.corpora[wildcards.corpus].test_characters


def audit_config(wildcards):
    """The slice of the config that the audit's verdicts and facts depend on."""
    return STUDY.for_audit().model_dump(mode="json")


def corpus_of_audit(pattern):
    return paths.at(pattern, corpus=STUDY.protocol(STUDY.audit_scale).corpus)


def evaluation_of_audit(pattern):
    return paths.at(
        corpus_of_audit(pattern), block=STUDY.protocol(STUDY.audit_scale).context
    )


def runs_of_audit(pattern):
    """The files of the audited model's runs, by activation and seed."""
    outputs = outputs_of_model(pattern, STUDY.audit)
    return [
        paths.at(path, scale=STUDY.audit_scale, model=STUDY.audit.models[0])
        for path in outputs
    ]


def stats_of_audit(model):
    return paths.at(paths.MODEL_STATS, scale=STUDY.audit_scale, model=model)


def corpus_of_control(wildcards):
    return paths.at(paths.CORPUS, corpus=STUDY.audit.controls[wildcards.control].corpus)


def control_config(wildcards):
    return STUDY.audit.controls[wildcards.control].model_dump(mode="json")


def control_files():
    """The files of all controls: those that train, and the one that only looks at runs."""
    names = [*STUDY.audit.controls, "unpaired"]
    return [paths.at(paths.CONTROL, control=name) for name in names]


def claims_file(name):
    """A part of the table of claims, which lies beside the workflow."""
    return os.path.join(workflow.basedir, CLAIMS_FOLDER, name)


def existing(files):
    """Those of some files that are there, with their hashes."""
    return {path: sha256_of(path) for path in files if os.path.exists(path)}


def existing_stats(wildcards):
    """Models' statistics that a study has left, with their hashes: evidence for the audit."""
    candidates = [
        paths.at(paths.MODEL_STATS, scale=scale, model=model)
        for scale in SCALES
        if scale in STUDY.protocols and scale != STUDY.audit.scale
        for model in STUDY.known_models
    ]
    return existing(candidates)


def existing_audit(wildcards):
    """The audit's verdicts, with their hash, where `snakemake audit` has left them."""
    return existing([paths.CLAIMS_JSON])


def other_results(wildcards):
    """The results folder that the study is compared with."""
    return str(require_other(STUDY.elsewhere, STUDY.protocols))


def other_runs(wildcards):
    """What of a scale's runs the other folder has, as it is now: they are no inputs of ours."""
    return found_in(STUDY.elsewhere, wildcards.scale, run_names(wildcards))


COMPARISONS = [paths.at(paths.ELSEWHERE, scale=scale) for scale in STUDY.scales]


def comparisons():
    """What the report waits for where the study is compared with another folder."""
    return COMPARISONS if STUDY.elsewhere is not None else []


def existing_comparisons(wildcards):
    """Comparisons that were made before, with their hashes, where none is asked for now."""
    return existing(COMPARISONS) if STUDY.elsewhere is None else {}


def existing_records(wildcards):
    """Records beside the study and beside the workflow, with a hash of each's files."""
    places = (paths.RECORDED, os.path.join(workflow.basedir, paths.RECORDED))
    return record_digests(Path(os.path.relpath(place)) for place in places)


def record_name(wildcards):
    """What the record of the study's results is to be called."""
    return told(STUDY.record_name)


def runs_of_study(pattern):
    """A file of every run of the study."""
    return [path for scale in STUDY.scales for path in runs_at(scale, pattern)]


def benchmark_config(wildcards):
    """The slice of the config that the benchmark depends on."""
    return STUDY.benchmark_config().model_dump(mode="json")


def corpora_of_benchmark(wildcards):
    return [
        paths.at(paths.CORPUS, corpus=corpus)
        for corpus in STUDY.benchmark_config().corpora
    ]


def all_cores(wildcards):
    """All cores of the machine, for a job that must have it to itself."""
    return workflow.cores


def print_targets():
    pages = (paths.REPORT, paths.AUDIT_PAGE, paths.BENCHMARK_SVG)
    made = [path for path in pages if os.path.exists(path)]
    files = [
        paths.at(pattern, scale=scale)
        for pattern in (paths.SUMMARY, paths.ELSEWHERE)
        for scale in STUDY.scales
    ]
    made += [path for path in files if os.path.exists(path)]
    print("\n".join(["", *(f"  {path}" for path in made)]))
