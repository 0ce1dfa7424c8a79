"""The fingerprints that rules hand to their jobs."""

from pathlib import Path

import pytest
from study_folder import REPOSITORY

from actrepro.core import paths
from actrepro.core.files import read_json
from actrepro.provenance.codes import Codes
from actrepro.provenance.fingerprint import source_of_script

SCRIPTS = REPOSITORY / "workflow/scripts"
MODEL = ("actrepro.models.zoo.charlm",)


def test_a_fingerprint_is_the_beginning_of_the_digest() -> None:
    source = source_of_script(SCRIPTS / "train.py", MODEL)
    expected = source.digest(("relu",))
    found = Codes(SCRIPTS).fingerprint("train.py", list(MODEL), ["relu"])
    assert expected.startswith(found)
    assert len(found) == 16


def test_what_a_fingerprint_stands_for_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = Codes(SCRIPTS)
    made = {codes.fingerprint("train.py", MODEL, [name]) for name in ("relu", "gelu", "relu")}
    monkeypatch.chdir(tmp_path)
    assert len(made) == 2
    assert not (tmp_path / paths.STATE).exists()
    codes.remember()
    for fingerprint in made:
        found = read_json(Path(paths.at(paths.CODE, fingerprint=fingerprint)))
        assert found["script"].endswith("workflow/scripts/train.py")
        assert tuple(found["modules"]) == MODEL
        assert found["activations"] in (["relu"], ["gelu"])
