"""The job that runs a control."""

from __future__ import annotations

import importlib
from pathlib import Path

from actrepro.audit.config import Control, trained_control_names
from actrepro.audit.controls.kit import TEST_CHARACTERS, Inputs
from actrepro.config.names import nearest
from actrepro.core.errors import ActreproError
from actrepro.core.files import write_json
from actrepro.data.corpus import load_corpus
from actrepro.train.devices import prepare_torch


def make_control(
    name: str,
    protocol: Control,
    corpus_path: Path,
    output: Path,
    threads: int,
    device: str = "cpu",
) -> None:
    """Run a control and write what it found.

    Parameters
    ----------
    name
        A public module of `actrepro.audit.controls`.
    protocol
        How its cells are trained.
    output
        JSON: the control's name; under `about` its sizes; under `numbers` each quantity
        with the mistake (`control`) and without it (`honest`), with the least and the
        greatest over seeds, pairs and draws where there are several; under `gates` each
        gate's outcome on both sides; and the `runs`.

    Raises
    ------
    ActreproError
        When there is no such control, or a run diverges or fails.
    """
    if name not in trained_control_names():
        raise ActreproError(
            f"control '{name}' is not known{nearest(name, trained_control_names())}"
        )
    control = importlib.import_module(f"actrepro.audit.controls.trained.{name}")
    corpus = load_corpus(corpus_path)
    inputs = Inputs(name, protocol, corpus, prepare_torch(device, threads))
    about = {
        "protocol": protocol.model_dump(mode="json", exclude={"overrides"}),
        "corpus_sha256": corpus.sha256,
        "test_characters": min(TEST_CHARACTERS, len(corpus.test)),
    }
    found = control.measure(inputs)
    write_json(
        output,
        {
            "control": name,
            "about": {**about, **found["about"]},
            **{part: found[part] for part in ("numbers", "gates", "runs")},
        },
    )
