"""Time and memory of statistics and report of a large study, on synthetic predictions.

`python tests/slow/benchmarks/big_study.py --positions 8192`. Each stage is a process of its own, as
a job is, and calls what the job calls. One model at one scale is made; statistics under other
names stand for the rest. Memory does not depend on `--positions`, from 8192 on; the time of the
differences does, and is in proportion. Predictions take 3 * positions * 260 bytes a run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "support"))

import synthetic
import synthetic_scale

from actrepro.core import paths
from actrepro.core.files import read_json, write_json, write_text
from actrepro.core.runs import Run
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.data.evaluation_set import load_evaluation, make_evaluation
from actrepro.figures.catalogue import (
    OF_ACTIVATION,
    OF_MODEL,
    figure_group,
    figure_kind,
    figure_names,
    figure_need,
)
from actrepro.figures.draw import draw_figure
from actrepro.gates.after import GateFiles, check_runs
from actrepro.gates.outcome import BEFORE, Outcome
from actrepro.measures.breakdown import model_breakdown
from actrepro.measures.differences import DifferencesFiles, cell_differences, model_differences
from actrepro.predict.store import MATCHED, OWN_RULES, RULES, Predictions, save_predictions
from actrepro.predict.validity import targets_of
from actrepro.report.markdown import write_markdown
from actrepro.report.page import Inputs, contents, write_report
from actrepro.report.summary import write_summary
from actrepro.results.tables import COLUMNS, write_tables
from actrepro.statistics.contrasts import Settings
from actrepro.statistics.costs import write_costs
from actrepro.statistics.per_model import StatisticsFiles, model_statistics
from actrepro.statistics.per_scale import scale_statistics

SYMBOLS = 65
PROMPTS, LONGEST = 32, 128
HISTORY_ROWS = 20
SETTINGS = Settings(0.95, synthetic.SETTINGS.margins)


@dataclass(frozen=True)
class Big:
    """A large study below a folder, with its numbers of models, activations, seeds and scales."""

    folder: Path
    models: int
    activations: int
    seeds: int
    scales: int
    positions: int

    @property
    def block(self) -> int:
        """The context length of the longest default scale, or less if the text is short."""
        return min(256, self.positions // 4)

    @property
    def model_names(self) -> list[str]:
        return [f"model{number}" for number in range(self.models)]

    @property
    def scale_names(self) -> list[str]:
        return [f"scale{number}" for number in range(self.scales)]

    @property
    def activation_names(self) -> list[str]:
        return [f"activation{number:02}" for number in range(self.activations)]

    @property
    def figure_names(self) -> list[str]:
        return figure_names(self.model_names, self.activation_names)

    @property
    def seed_numbers(self) -> list[int]:
        return list(range(self.seeds))

    @property
    def runs(self) -> list[tuple[str, int]]:
        return list(product(self.activation_names, self.seed_numbers))

    @property
    def made(self) -> dict[str, str]:
        """The scale and the model that are made in full."""
        return {"scale": self.scale_names[0], "model": self.model_names[0]}

    def at(self, pattern: str, **wildcards: object) -> Path:
        """Return a file's path, of the scale and model made in full unless others are named."""
        names = {"corpus": "words", "block": self.block, **self.made, **wildcards}
        return self.folder / paths.at(pattern, **names)

    def of_runs(self, pattern: str, **names: object) -> dict[Run, Path]:
        return {
            (a, seed): self.at(pattern, activation=a, seed=seed, **names) for a, seed in self.runs
        }

    def of_cells(self, pattern: str) -> dict[str, Path]:
        return {name: self.at(pattern, activation=name) for name in self.activation_names}


def make_text(big: Big) -> None:
    """Make a text whose test half has the given length, and its evaluation set."""
    generator = np.random.default_rng(0)
    shares = 1 / np.arange(1, SYMBOLS + 1)
    drawn = generator.choice(SYMBOLS, 20 * big.positions, p=shares / shares.sum())
    text = "".join(map(chr, drawn + ord("0")))
    corpus = Corpus.of_text(text)
    big.at(paths.CORPUS).parent.mkdir(parents=True)
    corpus.save(big.at(paths.CORPUS))
    manifest = {"corpus": "words", "source": "file", "origin": "made up", "sha256": corpus.sha256}
    manifest |= {"characters": len(corpus.codes), "symbols": corpus.symbols}
    parts = ("train", "selection", "test")
    manifest |= {part: len(getattr(corpus, part)) for part in parts}
    write_json(big.at(paths.CORPUS_MANIFEST), manifest)
    places = (big.at(paths.EVALUATION), big.at(paths.EVALUATION_MANIFEST))
    make_evaluation(big.at(paths.CORPUS), big.block, None, *places)


def make_runs(big: Big) -> None:
    """Make the files that training and prediction leave, for every run of the one model."""
    evaluation = load_evaluation(big.at(paths.EVALUATION))
    corpus_sha256 = load_corpus(big.at(paths.CORPUS)).sha256
    scored = targets_of(evaluation)
    sha256, symbols = evaluation.sha256, len(evaluation.symbols)
    length = min(LONGEST, big.block // 2)
    for number, (activation, seed) in enumerate(big.runs):
        generator = np.random.default_rng(number)
        drawn = {
            (rule, at): informed(generator, targets, symbols)
            for rule, (at, targets) in product(RULES, scored.items())
        }
        written = {
            rule: generator.integers(symbols, size=(PROMPTS, length), dtype=np.uint8)
            for rule in RULES
        }
        hashes = {rule: f"{rule} {activation} {seed}" for rule in RULES}
        names = {"activation": activation, "seed": seed}
        whole = Predictions(drawn, written, sha256, hashes)
        own = of_rules(whole, OWN_RULES)
        save_predictions(big.at(paths.PREDICTIONS, **names), own)
        save_predictions(big.at(paths.MATCHED_PREDICTIONS, **names), of_rules(whole, (MATCHED,)))
        write_json(big.at(paths.RUN_RECORD, **names), run_record(big, own, corpus_sha256, **names))


def informed(
    generator: np.random.Generator, targets: np.ndarray, symbols: int
) -> np.ndarray[Any, Any]:
    """Return the distributions of `synthetic.informed`, in single precision."""
    weights = np.exp(1.5 * generator.standard_normal((len(targets), symbols), dtype=np.float32))
    weights[np.arange(len(targets)), targets] += 60 * generator.random(len(targets), np.float32)
    return synthetic.normalised(weights)


def of_rules(whole: Predictions, rules: tuple[str, ...]) -> Predictions:
    return dataclasses.replace(
        whole,
        probabilities={key: p for key, p in whole.probabilities.items() if key[0] in rules},
        generated={rule: whole.generated[rule] for rule in rules},
        weights_sha256={rule: whole.weights_sha256[rule] for rule in rules},
    )


def run_record(
    big: Big, made: Predictions, corpus_sha256: str, activation: str, seed: int
) -> dict[str, Any]:
    record = synthetic.record(big.made["model"], activation, seed, made)
    return {
        **record,
        "config": {**record["config"], **big.made},
        "corpus_sha256": corpus_sha256,
        "machine": synthetic_scale.MACHINE,
        "packages": synthetic_scale.PACKAGES,
    }


def make_rest(big: Big) -> None:
    """Make the small files: gates before training, matched steps, training curves."""
    passed = {gate: Outcome(True, synthetic.MEASURED.get(gate, {}), "made up") for gate in BEFORE}
    outcomes = {gate: outcome.as_json() for gate, outcome in passed.items()}
    before = dict.fromkeys(big.activation_names, outcomes)
    write_json(big.at(paths.GATES), {**big.made, "activations": before})
    matched = [
        {"activation": activation, "seed": seed, "step": 10, "selection_loss": 2.5}
        for activation, seed in big.runs
    ]
    write_json(big.at(paths.MATCHED), {**big.made, "common_loss": 2.5, "runs": matched})
    rows = [f"{100 * row},{4 - row / 10},{4 - row / 11}" for row in range(HISTORY_ROWS)]
    history = "\n".join(["step,train_loss,selection_loss", *rows, ""])
    for path in big.of_runs(paths.HISTORY).values():
        write_text(path, history)


def one_cell(big: Big, activation: str) -> None:
    cell_differences(
        {**big.made, "activation": activation},
        {s: big.at(paths.PREDICTIONS, activation=activation, seed=s) for s in big.seed_numbers},
        big.at(paths.EVALUATION),
        big.at(paths.CELL_DIFFERENCES, activation=activation),
    )


def first_cell(big: Big) -> None:
    one_cell(big, big.activation_names[0])


def other_cells(big: Big) -> None:
    for activation in big.activation_names[1:]:
        one_cell(big, activation)


def all_pairs(big: Big) -> None:
    model_differences(
        DifferencesFiles(
            evaluation=big.at(paths.EVALUATION),
            predictions=big.of_runs(paths.PREDICTIONS),
            matched=big.of_runs(paths.MATCHED_PREDICTIONS),
            matrices=big.at(paths.MODEL_DIFFERENCES),
            matched_differences=big.at(paths.MATCHED_DIFFERENCES),
        )
    )


def gates_after(big: Big) -> None:
    check_runs(
        big.made,
        GateFiles(
            corpus=big.at(paths.CORPUS),
            evaluation=big.at(paths.EVALUATION),
            manifest=big.at(paths.EVALUATION_MANIFEST),
            differences=big.of_cells(paths.CELL_DIFFERENCES),
            matched=big.at(paths.MATCHED_DIFFERENCES),
            matrices=big.at(paths.MODEL_DIFFERENCES),
            records=big.of_runs(paths.RUN_RECORD),
            gates_after=big.at(paths.GATES_AFTER),
        ),
    )


def model_stats(big: Big) -> None:
    model_statistics(
        big.made,
        SETTINGS,
        StatisticsFiles(
            evaluation=big.at(paths.EVALUATION_MANIFEST),
            differences=big.of_cells(paths.CELL_DIFFERENCES),
            matched=big.at(paths.MATCHED),
            matched_differences=big.at(paths.MATCHED_DIFFERENCES),
            matrices=big.at(paths.MODEL_DIFFERENCES),
            records=big.of_runs(paths.RUN_RECORD),
            gates=big.at(paths.GATES),
            gates_after=big.at(paths.GATES_AFTER),
            stats=big.at(paths.MODEL_STATS),
        ),
    )


def make_other_models(big: Big) -> None:
    """Copy the one model's statistics under other names, with hashes of their own."""
    for name in big.model_names[1:]:
        stats = read_json(big.at(paths.MODEL_STATS))
        for run in stats["runs"]:
            run["predictions_sha256"] = f"{name} {run['predictions_sha256']}"
            hashes = run["weights_sha256"].items()
            run["weights_sha256"] = {rule: f"{name} {digest}" for rule, digest in hashes}
        write_json(big.at(paths.MODEL_STATS, model=name), {**stats, "model": name})


def scale_stats(big: Big) -> None:
    models = [big.at(paths.MODEL_STATS, model=name) for name in big.model_names]
    scale_statistics(big.made["scale"], "big", models, big.at(paths.SCALE_STATS))


def tables(big: Big) -> None:
    write_tables(
        big.at(paths.SCALE_STATS),
        dict.fromkeys(big.model_names, big.at(paths.MODEL_DIFFERENCES)),
        {table: big.at(f"{paths.SCALE}/{table}.csv") for table in COLUMNS},
    )


def summary_text(big: Big) -> None:
    write_summary(big.at(paths.SCALE_STATS), big.at(paths.SUMMARY))


def costs(big: Big) -> None:
    write_costs(big.at(paths.SCALE_STATS), big.at(paths.MODELS), big.at(paths.COSTS))


def break_down(big: Big) -> None:
    model_breakdown(
        big.made,
        big.of_runs(paths.PREDICTIONS),
        big.at(paths.CORPUS),
        big.at(paths.EVALUATION),
        big.at(paths.BREAKDOWN),
    )


def make_models(big: Big) -> None:
    """Make model cards, the same for all models, and other models' breakdowns."""
    outline = [{"name": "head", "kind": "Linear", "parameters": 9, "repeats": 1, "calls": 1}]
    outline[0] |= {"activation": True, "children": []}
    size = {
        "parameters": dict.fromkeys(big.activation_names, 9),
        "flops_per_character": dict.fromkeys(big.activation_names, 6e7),
        "characters": 10**6,
        "outline": outline,
    }
    curve = {"x": [-1.0, 0.0, 1.0], "y": [0.0, 0.0, 1.0], "derivative": [0.0, 0.0, 1.0]}
    curve |= {"gated": False, "repeatable": True}
    scales = dict.fromkeys(big.scale_names, dict.fromkeys(big.model_names, size))
    activations = dict.fromkeys(big.activation_names, curve)
    write_json(big.at(paths.MODELS), {"schema": 1, "scales": scales, "activations": activations})
    found = read_json(big.at(paths.BREAKDOWN))
    for scale, model in product(big.scale_names, big.model_names):
        path = big.at(paths.BREAKDOWN, scale=scale, model=model)
        write_json(path, {**found, "scale": scale, "model": model})


def draw(big: Big, name: str) -> None:
    places = (big.at(paths.FIGURE_SVG, figure=name), big.at(paths.FIGURE_PNG, figure=name))
    need = figure_need(name)
    histories = big.of_runs(paths.HISTORY)
    shown = figure_kind(name)[1]
    own = [path for run, path in histories.items() if need == OF_ACTIVATION and run[0] == shown]
    draw_figure(
        name,
        big.at(paths.SCALE_STATS),
        list(histories.values()) if need == OF_MODEL else own,
        *places,
        breakdowns=[big.at(paths.BREAKDOWN, model=model) for model in big.model_names],
        models=big.at(paths.MODELS),
    )


def make_other_scales(big: Big) -> None:
    """Copy the one scale's statistics and figures under other names."""
    first = {"model": big.model_names[0], "activation": big.activation_names[0]}
    for scale in big.scale_names:
        if scale != big.made["scale"]:
            stats, of_scale = read_json(big.at(paths.SCALE_STATS)), read_json(big.at(paths.COSTS))
            write_json(big.at(paths.SCALE_STATS, scale=scale), {**stats, "scale": scale})
            write_json(big.at(paths.COSTS, scale=scale), {**of_scale, "scale": scale})
        for figure in big.figure_names:
            kind, shown = figure_kind(figure)
            like = f"{kind}{first[figure_group(figure)]}" if shown else figure
            text = big.at(paths.FIGURE_SVG, figure=like).read_text(encoding="utf-8")
            write_text(big.at(paths.FIGURE_SVG, figure=figure, scale=scale), text)


def report(big: Big) -> None:
    inputs = Inputs(
        stats=[big.at(paths.SCALE_STATS, scale=scale) for scale in big.scale_names],
        corpora=[big.at(paths.CORPUS_MANIFEST)] * big.scales,
        figures=[
            big.at(paths.FIGURE_SVG, scale=scale, figure=figure)
            for scale in big.scale_names
            for figure in big.figure_names
        ],
        breakdowns=[
            big.at(paths.BREAKDOWN, scale=scale, model=model)
            for scale in big.scale_names
            for model in big.model_names
        ],
        models=big.at(paths.MODELS),
        costs=[big.at(paths.COSTS, scale=scale) for scale in big.scale_names],
    )
    page = contents("big", inputs)
    write_report(page, big.at(paths.REPORT))
    write_markdown(page, big.at(paths.REPORT_TEXT))


# In this order; what a job does has the name of its rule, what only makes things up has none.
MADE: dict[str, Callable[[Big], None]] = {
    "-text": make_text,
    "-runs": make_runs,
    "-rest": make_rest,
    "breakdown": break_down,
    "cell_differences": first_cell,
    "-other-cells": other_cells,
    "model_differences": all_pairs,
    "gates_after": gates_after,
    "model_stats": model_stats,
    "-other-models": make_other_models,
    "scale_stats": scale_stats,
    "tables": tables,
    "summary_text": summary_text,
    "-models": make_models,
    "costs": costs,
}


def stages(big: Big) -> list[str]:
    """Return the stages, one process each; figures are drawn of one model."""
    one_of_each = figure_names(big.model_names[:1], big.activation_names[:1])
    figures = [f"figure {name}" for name in one_of_each]
    return [*MADE, *figures, "-other-scales", "report"]


def work(big: Big, stage: str) -> None:
    """Do one stage, in the process that is measured."""
    if stage.startswith("figure "):
        draw(big, stage.removeprefix("figure "))
    else:
        {**MADE, "-other-scales": make_other_scales, "report": report}[stage](big)


def measured(big: Big, stage: str) -> tuple[float, float]:
    """Return the seconds and peak MiB of a process that does one stage."""
    text = json.dumps({**dataclasses.asdict(big), "folder": str(big.folder)})
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, __file__, "--stage", stage, text])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{stage} failed")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return time.monotonic() - began, usage.ru_maxrss / unit


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=6)
    parser.add_argument("--activations", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--scales", type=int, default=5)
    parser.add_argument("--positions", type=int, default=55_770)
    parser.add_argument("--until", help="the last stage; all where none is named")
    parser.add_argument("--folder", help="where the study is made; it is deleted at the end")
    return parser.parse_args()


def print_sizes(big: Big) -> None:
    """Print the disk space of the study's files, except those of single runs."""
    for path in sorted(big.folder.rglob("*")):
        if path.is_file() and "seed" not in path.parent.name:
            print(f"{path.relative_to(big.folder)!s:50} {path.stat().st_size / 1e6:9.2f} MB")


def main() -> None:
    arguments = asked()
    sizes = {name: value for name, value in vars(arguments).items() if isinstance(value, int)}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        big = Big(Path(folder), **sizes)
        for stage in stages(big):
            seconds, peak = measured(big, stage)
            if not stage.startswith("-"):
                print(f"{stage:24} {seconds:9.1f} s {peak:7.0f} MiB", flush=True)
            if stage == arguments.until:
                break
        print_sizes(big)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        told = json.loads(sys.argv[3])
        work(Big(**{**told, "folder": Path(told["folder"])}), sys.argv[2])
    else:
        main()
