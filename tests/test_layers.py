"""Each module imports only what stands below it, and torch only where it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import actrepro

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/actrepro"
LAYERS = (
    "errors registry config paths files provenance jobs streams gate verdicts schema_version "
    "locks cards status normal_form closure fingerprint explain results_folder identity",
    "corpus fetch plays texts evaluation activations masks quickstart history needs",
    "models matching",
    "devices optimiser stepping resuming checkpoints training predictions prediction probing "
    "gates facts flops outline sizes",
    "measures inspection differences breakdown gates_after "
    "inference permutation equivalence power classical decomposition "
    "model_runs contrasts statistics scale unpaired controls counterparts elsewhere benchmarking "
    "records recording",
)
LAYER = {name: layer for layer, names in enumerate(LAYERS, start=1) for name in names.split()}
# What is not named above presents results: it stands on top.
TOP = len(LAYERS) + 1
# Within a layer, only these: (module, what it imports).
BESIDE = {
    ("closure", "errors"),
    ("closure", "normal_form"),
    ("explain", "errors"),
    ("explain", "files"),
    ("explain", "fingerprint"),
    ("explain", "paths"),
    ("fingerprint", "closure"),
    ("fingerprint", "normal_form"),
    ("fingerprint", "registry"),
    ("texts", "corpus"),
    ("texts", "fetch"),
    ("texts", "plays"),
    ("breakdown", "inspection"),
    ("breakdown", "measures"),
    ("cards", "errors"),
    ("cards", "locks"),
    ("classical", "decomposition"),
    ("outline", "probing"),
    ("sizes", "flops"),
    ("sizes", "outline"),
    ("sizes", "probing"),
    ("classical", "inference"),
    ("config", "errors"),
    ("config", "registry"),
    ("contrasts", "equivalence"),
    ("contrasts", "inference"),
    ("contrasts", "measures"),
    ("contrasts", "model_runs"),
    ("contrasts", "power"),
    ("counterparts", "inspection"),
    ("controls", "gates_after"),
    ("controls", "measures"),
    ("controls", "unpaired"),
    ("decomposition", "inference"),
    ("differences", "inspection"),
    ("differences", "measures"),
    ("elsewhere", "contrasts"),
    ("elsewhere", "counterparts"),
    ("elsewhere", "differences"),
    ("elsewhere", "inference"),
    ("elsewhere", "measures"),
    ("equivalence", "inference"),
    ("evaluation", "corpus"),
    ("facts", "optimiser"),
    ("files", "errors"),
    ("gates", "checkpoints"),
    ("gates", "devices"),
    ("gates", "probing"),
    ("gates", "training"),
    ("gates_after", "differences"),
    ("gates_after", "inspection"),
    ("gates_after", "measures"),
    ("identity", "config"),
    ("inspection", "measures"),
    ("jobs", "errors"),
    ("locks", "errors"),
    ("permutation", "inference"),
    ("power", "inference"),
    ("prediction", "checkpoints"),
    ("prediction", "predictions"),
    ("prediction", "devices"),
    ("provenance", "cards"),
    ("results_folder", "errors"),
    ("results_folder", "paths"),
    ("recording", "records"),
    ("scale", "contrasts"),
    ("scale", "decomposition"),
    ("scale", "gates_after"),
    ("scale", "inference"),
    ("scale", "statistics"),
    ("statistics", "classical"),
    ("statistics", "contrasts"),
    ("statistics", "differences"),
    ("statistics", "inference"),
    ("statistics", "measures"),
    ("statistics", "model_runs"),
    ("statistics", "permutation"),
    ("resuming", "checkpoints"),
    ("stepping", "devices"),
    ("stepping", "optimiser"),
    ("training", "checkpoints"),
    ("training", "devices"),
    ("training", "optimiser"),
    ("training", "resuming"),
    ("training", "stepping"),
    ("unpaired", "gates_after"),
    ("unpaired", "measures"),
}
WITH_TORCH = {
    "flops",
    "outline",
    "sizes",
    "activations",
    "masks",
    "models",
    "devices",
    "optimiser",
    "stepping",
    "resuming",
    "checkpoints",
    "training",
    "prediction",
    "probing",
    "gates",
    "quickstart",
    "facts",
    "controls",
    "benchmarking",
}
FRONT = SOURCE / "__init__.py"
FILES = sorted(set(SOURCE.rglob("*.py")) - {FRONT})
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


def _module(file: Path) -> str:
    """The part of the package a file belongs to: a module's name, or a folder's."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def _layer(module: str) -> int:
    return LAYER.get(module, TOP)


def _imports(file: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _own_imports(file: Path) -> set[str]:
    """The package's parts that a file imports."""
    names = {_module(one) for one in FILES}
    own = {name.split(".")[1] for name in _imports(file) if name.startswith("actrepro.")}
    return (own & names) - {_module(file)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_point_downwards(file: Path) -> None:
    module = _module(file)
    for other in _own_imports(file):
        beside = _layer(other) == _layer(module)
        allowed = _layer(module) == TOP or (module, other) in BESIDE
        assert _layer(other) < _layer(module) or (beside and allowed), f"{module} imports {other}"


def test_no_exception_has_outlived_its_use() -> None:
    found = {(_module(file), other) for file in FILES for other in _own_imports(file)}
    assert found >= BESIDE


def test_every_layer_names_modules_that_exist() -> None:
    assert {_module(file) for file in FILES} >= LAYER.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_the_library_knows_nothing_of_snakemake(file: Path) -> None:
    assert not {name for name in _imports(file) if name.split(".")[0] == "snakemake"}


def test_torch_is_imported_only_where_models_are() -> None:
    found = {
        _module(file)
        for file in FILES
        if {name.split(".")[0] for name in _imports(file)} & {"torch", "safetensors"}
    }
    assert found == WITH_TORCH


def test_planning_and_statistics_start_without_torch() -> None:
    code = (
        "import sys\n"
        "import actrepro.config, actrepro.paths, actrepro.differences\n"
        "import actrepro.gates_after, actrepro.statistics, actrepro.tables, actrepro.elsewhere\n"
        "import actrepro.records, actrepro.recording, actrepro.breakdown\n"
        "actrepro.config.default_study()\n"
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
