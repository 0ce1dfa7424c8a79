"""A study's plan: files and slices, by what is left open."""

import pytest

from actrepro.config.plan import Plan
from actrepro.config.reading import default_study
from actrepro.core import paths

STUDY = default_study().model_copy(
    update={
        "models": ("charlm", "convlm"),
        "activations": ("relu", "gelu"),
        "seeds": (1, 2),
        "scales": ("quick", "cpu"),
    }
)
PLAN = Plan(STUDY)
QUICK = {"scale": "quick", "model": "charlm"}


@pytest.mark.parametrize(
    ("pattern", "named", "expected"),
    [
        (paths.SUMMARY, {}, ["quick/summary.txt", "cpu/summary.txt"]),
        (
            paths.BREAKDOWN,
            {"scale": "cpu"},
            ["cpu/charlm/breakdown.json", "cpu/convlm/breakdown.json"],
        ),
        (paths.CELL, QUICK, ["quick/charlm/relu", "quick/charlm/gelu"]),
        (
            paths.RUN,
            QUICK,
            [
                "quick/charlm/relu/seed1",
                "quick/charlm/relu/seed2",
                "quick/charlm/gelu/seed1",
                "quick/charlm/gelu/seed2",
            ],
        ),
        (paths.RUN, {**QUICK, "activation": "gelu", "seed": "2"}, ["quick/charlm/gelu/seed2"]),
        (paths.MODELS, {"scale": "cpu"}, ["models.json"]),
    ],
)
def test_there_is_a_file_for_everything_that_is_not_named(
    pattern: str, named: dict[str, str], expected: list[str]
) -> None:
    assert PLAN.files(pattern, **named) == [f"{paths.RESULTS}/{one}" for one in expected]


def test_all_runs_of_a_study_come_by_scale_model_activation_and_seed() -> None:
    files = PLAN.files(paths.RUN_RECORD)
    assert len(files) == len(set(files)) == 2 * 2 * 2 * 2
    assert files[:2] == [f"results/quick/charlm/relu/seed{seed}/run.json" for seed in (1, 2)]


def test_a_study_beside_has_its_own_models_and_seeds() -> None:
    protocols = {**STUDY.protocols, "apart/cpu": STUDY.protocols["cpu"]}
    other = STUDY.model_copy(update={"models": ("minigpt",), "seeds": (7,), "protocols": protocols})
    plan = Plan(STUDY, {"apart/cpu": other})
    files = plan.files(paths.RUN_RECORD, scale="apart/cpu")
    assert files == [
        f"results/apart/cpu/minigpt/{activation}/seed7/run.json" for activation in ("relu", "gelu")
    ]
    runs = plan.runs("apart/cpu", "minigpt")
    assert [(run["scale"], run["seed"]) for run in runs] == [("apart/cpu", 7)] * 2
    assert plan.files(paths.RUN, scale="cpu") == PLAN.files(paths.RUN, scale="cpu")


def test_names_of_runs_have_the_order_of_their_files() -> None:
    files = PLAN.files(paths.RUN, scale="cpu")
    assert [
        paths.at(paths.RUN, scale="cpu", model=model, activation=activation, seed=seed)
        for model, activation, seed in PLAN.run_names("cpu")
    ] == files


def test_a_corpus_that_two_scales_use_comes_once() -> None:
    study = STUDY.model_copy(update={"scales": ("quick", "cpu", "lite")})
    names = [STUDY.protocols[scale].corpus for scale in ("quick", "cpu")]
    assert study.protocols["lite"].corpus == names[1]
    assert Plan(study).corpora(paths.CORPUS) == [
        paths.at(paths.CORPUS, corpus=one) for one in names
    ]


def test_slices_are_those_of_the_runs() -> None:
    runs = PLAN.runs("quick", "charlm")
    assert [(run["activation"], run["seed"]) for run in runs] == [
        ("relu", 1),
        ("relu", 2),
        ("gelu", 1),
        ("gelu", 2),
    ]
    assert PLAN.runs("quick", "charlm", "gelu") == runs[2:]
    assert PLAN.first_runs("quick", "charlm") == runs[::2]
    assert {**PLAN.cell("quick", "charlm", "relu"), "seed": 2} == runs[1]


def test_cards_are_of_every_scale_of_the_config_and_know_no_device() -> None:
    cards = Plan(STUDY.model_copy(update={"device": "cuda"})).cards()
    assert cards == PLAN.cards()
    assert {run["device"] for run in cards} == {"auto"}
    assert [(run["scale"], run["model"]) for run in cards] == [
        (scale, model) for scale in STUDY.protocols for model in STUDY.models
    ]
