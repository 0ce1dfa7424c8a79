"""A package imports only the stages before it, and torch only where models are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from study_folder import REPOSITORY

import actrepro

SOURCE = REPOSITORY / "src/actrepro"
# The contract: a package imports only those in the rows above its own, and itself.
STAGES = (
    "core",
    "config",
    "data provenance",
    "models",
    "train",
    "predict",
    "measures",
    "gates",
    "results",
    "statistics figures",
    "benchmark replication",
    "report",
    "audit",
)
STAGE = {package: stage for stage, row in enumerate(STAGES) for package in row.split()}
# Imports that still point upwards.
UPWARDS: set[tuple[str, str]] = set()
WITH_TORCH = {
    "models",
    "train",
    "predict",
    "gates",
    "benchmark",
    "audit",
}
FRONT = SOURCE / "__init__.py"
FILES = sorted(set(SOURCE.rglob("*.py")) - {FRONT})
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
SCRIPTS = sorted((REPOSITORY / "workflow/scripts").glob("*.py"))


def _module(file: Path) -> str:
    """Return the dotted name of a file's module below the library."""
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def _imports(file: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _upwards(file: Path) -> set[tuple[str, str]]:
    """Return a module's imports of packages that do not come before its own."""
    module = _module(file)
    own = module.partition(".")[0]
    packages = {name.split(".")[1] for name in _imports(file) if name.startswith("actrepro.")}
    others = (packages & STAGE.keys()) - {own}
    return {(module, other) for other in others if STAGE[other] >= STAGE[own]}


def test_every_package_has_its_row() -> None:
    folders = {file.parent.name for file in SOURCE.glob("*/__init__.py")}
    assert folders == STAGE.keys()
    assert [file.name for file in SOURCE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_package_imports_only_what_stands_before_it(file: Path) -> None:
    assert _upwards(file) <= UPWARDS


def test_no_exception_has_outlived_its_use() -> None:
    assert {pair for file in FILES for pair in _upwards(file)} == UPWARDS


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_the_library_knows_nothing_of_snakemake(file: Path) -> None:
    assert not {name for name in _imports(file) if name.split(".")[0] == "snakemake"}


def test_torch_is_imported_only_where_models_are() -> None:
    found = {
        _module(file).partition(".")[0]
        for file in FILES
        if {name.split(".")[0] for name in _imports(file)} & {"torch", "safetensors"}
    }
    assert found == WITH_TORCH


def test_planning_and_statistics_start_without_torch() -> None:
    code = (
        "import sys\n"
        "import actrepro.config.reading, actrepro.core.paths, actrepro.measures.differences\n"
        "import actrepro.measures.breakdown, actrepro.gates.after, actrepro.statistics.per_model\n"
        "import actrepro.results.tables, actrepro.replication.compare\n"
        "import actrepro.replication.archive, actrepro.replication.archive_writer\n"
        "actrepro.config.reading.default_study()\n"
        "print([name for name in ('torch', 'snakemake') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_packages_front_is_its_error_its_version_and_build_model() -> None:
    assert actrepro.__all__ == ["ActreproError", "__version__", "build_model", "load_study"]
    assert all(hasattr(actrepro, name) for name in actrepro.__all__)
    with pytest.raises(AttributeError, match="no attribute 'build_modle'"):
        _ = actrepro.build_modle


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_of_the_workflow_are_thin(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    tree = ast.parse(text)
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.For, ast.While, ast.Try)
    assert len(text.splitlines()) < 40
    assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]
    # What may fail stands inside the job, so that the log says why.
    assert {type(node).__name__ for node in tree.body} <= {"ImportFrom", "With", "Expr"}
    assert [
        node.items[0].context_expr.func.id for node in tree.body if isinstance(node, ast.With)
    ] == ["job"]


def test_there_are_scripts() -> None:
    assert {"train", "predict", "model_stats", "scale_stats"} <= {file.stem for file in SCRIPTS}


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_no_test_imports_a_test(file: Path) -> None:
    """Helpers of several tests are in `tests/support`."""
    assert not {name for name in _imports(file) if name.split(".")[0].startswith("test")}
