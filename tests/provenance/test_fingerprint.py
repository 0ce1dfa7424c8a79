"""Changes that do and do not change a fingerprint, of a synthetic package and of our own."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from study_folder import REPOSITORY

from actrepro.core.errors import ActreproError
from actrepro.provenance.closure import closure
from actrepro.provenance.fingerprint import (
    SHAPES_NO_RESULT,
    source_of,
    source_of_script,
    training_fingerprint,
)

SOURCE = REPOSITORY / "src/actrepro"
SCRIPTS = sorted((REPOSITORY / "workflow/scripts").glob("*.py"))
PACKAGE = {
    "made/__init__.py": "VERSION = 1\n",
    "made/model.py": '''\
"""A model."""

from typing import TYPE_CHECKING

from made import blocks
from made.tools.scales import SCALE

if TYPE_CHECKING:
    from made.plots import Plot

LIMIT = 4


def build(spec):
    """Build it."""
    if SCALE:
        spec += 1
    return blocks.wide(spec, SCALE)  # widened
''',
    "made/blocks.py": """\
def wide(spec, scale):
    from made import late

    return late.times(spec, scale)
""",
    "made/late.py": "def times(a, b):\n    return a * b\n",
    "made/tools/__init__.py": "KIND = 'tools'\n",
    "made/tools/scales.py": "SCALE = 0.5\n",
    "made/tools/other.py": "SIZE = 1\n",
    "made/plots.py": "import made.model\nSIZE = 1\n",
    "beside.py": "SIZE = 1\n",
}
CLOSURE = "made made.blocks made.late made.model made.tools made.tools.scales"
MODEL = "made/model.py"
# What is changed: the file, the text, and what stands there afterwards.
SAME = {
    "a comment": (MODEL, "# widened", "# made wider"),
    "no comment": (MODEL, "  # widened", ""),
    "a comment on top": (MODEL, '"""A model."""', '# Mine.\n"""A model."""'),
    "a module's docstring": (MODEL, "A model.", "Another text."),
    "no module's docstring": (MODEL, '"""A model."""', ""),
    "a function's docstring": (MODEL, "Build it.", "Build."),
    "no function's docstring": (MODEL, '    """Build it."""\n', ""),
    "blank lines": (MODEL, "\n\n", "\n\n\n\n"),
    "line ends": (MODEL, "\n", "\r\n"),
    "formatting": (MODEL, "(spec, SCALE)", "(\n        spec,\n        (SCALE),\n    )"),
    "quotes": ("made/tools/__init__.py", "'tools'", '"tools"'),
    "a number's notation": ("made/tools/scales.py", "0.5", "5e-1"),
    "a type checker's import": (MODEL, "import Plot", "import Chart, Plot"),
    "a module outside": ("made/tools/other.py", "1", "2"),
    "a module for a type checker, which imports the model": ("made/plots.py", "1", "2"),
    "another package": ("beside.py", "1", "2"),
}
CHANGED = {
    "a constant": (MODEL, "LIMIT = 4", "LIMIT = 5"),
    "a constant's type": (MODEL, "LIMIT = 4", "LIMIT = 4.0"),
    "a name": (MODEL, "LIMIT", "BOUND"),
    "an order": (MODEL, "(spec, SCALE)", "(SCALE, spec)"),
    "an indentation": (MODEL, "    return", "        return"),
    "a new import": (MODEL, "import blocks", "import blocks, plots"),
    "a new import from elsewhere": (MODEL, "LIMIT", "import json\nLIMIT"),
    "its package's front": ("made/__init__.py", "1", "2"),
    "another package's front": ("made/tools/__init__.py", "tools", "more tools"),
    "a constant that it imports": ("made/tools/scales.py", "0.5", "0.25"),
    "a function that it imports": ("made/blocks.py", "return", "return 2 *"),
    "a function that that function imports": ("made/late.py", "a * b", "a + b"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, first on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    # A folder changed twice within a tick of its clock looks unchanged to Python's finders.
    importlib.invalidate_caches()


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    write(folder, {name: text.replace(old, new)})


def source_fingerprint(modules: list[str]) -> str:
    return source_of(modules).digest()


def closure_of(folder: Path, files: dict[str, str], *modules: str) -> str:
    write(folder, files)
    return " ".join(closure(modules).files)


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_run_does_not_change_the_fingerprint(folder: Path, change: str) -> None:
    write(folder, PACKAGE)
    before = source_fingerprint(["made.model"])
    edit(folder, *SAME[change])
    assert source_fingerprint(["made.model"]) == before


@pytest.mark.parametrize("change", CHANGED)
def test_a_change_of_code_changes_the_fingerprint(folder: Path, change: str) -> None:
    write(folder, PACKAGE)
    before = source_fingerprint(["made.model"])
    edit(folder, *CHANGED[change])
    assert source_fingerprint(["made.model"]) != before


def test_a_docstring_as_a_body_counts_like_pass(folder: Path) -> None:
    write(folder, {"made.py": "class Fault(Exception):\n    pass\n"})
    before = source_fingerprint(["made"])
    write(folder, {"made.py": 'class Fault(Exception):\n    """A fault."""\n'})
    assert source_fingerprint(["made"]) == before


MOVED = {
    "made/__init__.py": "",
    "made/inner/__init__.py": '"""A package of its own."""\n',
    "made/inner/renamed.py": "SIZE = 1\n",
    "made/inner/size.py": "SIZE = 2\n",
    "made/model.py": (
        "import json\nfrom made.inner import size as other\nfrom made.inner.renamed import SIZE\n"
        "def build():\n    return json.dumps(SIZE + other.SIZE)\n"
    ),
}


def test_a_module_that_moves_changes_nothing(folder: Path) -> None:
    flat = {
        "made/__init__.py": "",
        "made/one.py": "SIZE = 1\n",
        "made/size.py": "SIZE = 2\n",
        "made/model.py": (
            "import json\nfrom made.one import SIZE\nfrom made import size as other\n"
            "def build():\n    return json.dumps(SIZE + other.SIZE)\n"
        ),
    }
    write(folder, flat)
    before = source_fingerprint(["made.model"])
    (folder / "made/one.py").unlink()
    (folder / "made/size.py").unlink()
    write(folder, MOVED)
    assert source_fingerprint(["made.model"]) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("made/model.py", "inner.renamed import SIZE", "inner.size import SIZE"),
        ("made/model.py", "import size as other", "import renamed as other"),
        ("made/model.py", "import SIZE", "import SIZE as WIDTH"),
        ("made/model.py", "import json", "import simplejson as json"),
        ("made/inner/__init__.py", '"""A package of its own."""', "WIDTH = 1"),
    ],
)
def test_a_name_from_another_module_changes_the_fingerprint(
    folder: Path, name: str, old: str, new: str
) -> None:
    write(folder, MOVED)
    before = source_fingerprint(["made.model"])
    edit(folder, name, old, new)
    assert source_fingerprint(["made.model"]) != before


def test_two_modules_that_change_places_change_what_imports_them(folder: Path) -> None:
    write(folder, MOVED)
    before = source_fingerprint(["made.model"])
    write(folder, {"made/inner/renamed.py": "SIZE = 2\n", "made/inner/size.py": "SIZE = 1\n"})
    assert source_fingerprint(["made.model"]) != before


def test_where_the_files_lie_does_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "here", PACKAGE)
    write(folder / "there", PACKAGE)
    monkeypatch.syspath_prepend(folder / "here")
    here = source_fingerprint(["made.model"])
    monkeypatch.syspath_prepend(folder / "there")
    assert closure(["made"]).files == {"made": folder / "there/made/__init__.py"}
    assert source_fingerprint(["made.model"]) == here


def test_the_order_of_names_does_not_count(folder: Path) -> None:
    write(folder, PACKAGE)
    both = source_fingerprint(["beside", "made.model"])
    assert re.fullmatch("[0-9a-f]{64}", both)
    assert source_fingerprint(iter(["made.model", "beside", "made.model"])) == both
    assert source_fingerprint(["made.model"]) != both


def test_a_closure_is_what_runs_with_its_files(folder: Path) -> None:
    assert closure_of(folder, PACKAGE, "made.model") == CLOSURE
    files = closure(["made.model"]).files
    assert files["made.tools"] == folder / "made/tools/__init__.py"
    assert files["made.late"] == folder / "made/late.py"


# How a module may be imported: a statement in `made.inner.a`, and what it draws in besides.
IMPORTS = {
    "import made.deep.b": "made.deep made.deep.b",
    "import made.deep.b as b": "made.deep made.deep.b",
    "import json, made.deep.b": "made.deep made.deep.b",
    "from made.deep import b": "made.deep made.deep.b",
    "from made.deep import NAME": "made.deep",
    "from made.deep import NAME, b as c": "made.deep made.deep.b",
    "from made.deep.b import NAME": "made.deep made.deep.b",
    "from made.deep import *": "made.deep made.deep.b made.deep.c",
    "from . import c": "made.inner.c",
    "from . import NAME": "",
    "from .c import NAME": "made.inner.c",
    "from .. import deep": "made.deep",
    "from ..deep import b": "made.deep made.deep.b",
    "from ..deep.b import NAME": "made.deep made.deep.b",
    "import made.space.d": "made.space.d",
    "from made import space": "",
    "import json": "",
    "import beside": "",
    "import made_beside": "",
    "def f():\n    import made.deep": "made.deep",
    "async def f():\n    with f:\n        import made.deep": "made.deep",
    "class C:\n    import made.deep": "made.deep",
    "match f:\n    case 1:\n        import made.deep": "made.deep",
    "if f:\n    pass\nelse:\n    import made.deep": "made.deep",
    "try:\n    f()\nexcept ImportError:\n    import made.deep": "made.deep",
    "try:\n    import made.deep, made.gone\nexcept ImportError:\n    pass": "made.deep",
    "if TYPE_CHECKING:\n    import made.deep": "",
    "if typing.TYPE_CHECKING:\n    import made.deep": "",
    "if TYPE_CHECKING:\n    import made.deep.b\nelse:\n    import made.deep": "made.deep",
    "if not TYPE_CHECKING:\n    import made.deep": "made.deep",
    "'import made.deep'": "",
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_every_way_to_import(folder: Path, statement: str) -> None:
    files = {
        "made/__init__.py": "",
        "made/inner/__init__.py": "",
        "made/inner/a.py": statement,
        "made/inner/c.py": "",
        "made/deep/__init__.py": "",
        "made/deep/b.py": "",
        "made/deep/c.py": "",
        "made/space/d.py": "",
        "beside.py": "",
        "made_beside.py": "",
    }
    found = closure_of(folder, files, "made.inner.a").split()
    assert found == sorted(["made", "made.inner", "made.inner.a", *IMPORTS[statement].split()])


def test_modules_that_import_each_other_are_read_once_each(folder: Path) -> None:
    files = {"made/__init__.py": "", "made/a.py": "import made.b", "made/b.py": "import made.a"}
    assert closure_of(folder, files, "made.a") == "made made.a made.b"


def test_every_named_module_adds_its_package(folder: Path) -> None:
    files = {**PACKAGE, "beside.py": "from made.tools import other"}
    assert closure_of(folder, files, "beside") == "beside"
    assert closure_of(folder, files, "beside", "made") == "beside made made.tools made.tools.other"


def test_a_folder_without_an_init_is_a_package_too(folder: Path) -> None:
    files = {"space/a.py": "from . import b", "space/b.py": ""}
    assert closure_of(folder, files, "space.a") == "space.a space.b"


LAZY = '''\
from made import a

def __getattr__(name):
    """Imported only when it is asked for."""
    from made import heavy

    return getattr(heavy, name)
'''


@pytest.mark.parametrize(
    ("statement", "asks"),
    [
        ("from made import b", False),
        ("import made.b as b", False),
        ("from made.b import NAME", False),
        ("from made import NAME", True),
        ("import made.b", True),
        ("import made", True),
        ("import made as m", True),
        ("from made import *", True),
    ],
)
def test_imports_inside_getattr_count_when_a_name_is_imported(
    folder: Path, statement: str, asks: bool
) -> None:
    files = {
        "made/__init__.py": LAZY,
        "made/a.py": "",
        "made/b.py": "",
        "made/heavy.py": "",
        "made/model.py": statement,
    }
    found = closure_of(folder, files, "made.model").split()
    assert "made.a" in found
    assert ("made.heavy" in found) == asks


def test_imports_inside_getattr_count_when_the_package_is_named(folder: Path) -> None:
    files = {"made/__init__.py": LAZY, "made/a.py": "", "made/heavy.py": ""}
    assert closure_of(folder, files, "made") == "made made.a made.heavy"
    assert closure_of(folder, files, "made.a") == "made made.a"


def test_other_functions_of_an_init_always_count(folder: Path) -> None:
    front = "def start():\n    import made.heavy\nstart()\n"
    files = {"made/__init__.py": front, "made/a.py": "", "made/heavy.py": ""}
    assert closure_of(folder, files, "made.a") == "made made.a made.heavy"


def test_what_is_compiled_counts_by_its_bytes(folder: Path) -> None:
    compiled = f"made/fast{EXTENSION_SUFFIXES[0]}"
    files = {"made/__init__.py": "", "made/a.py": "import made.fast", compiled: "\0 one"}
    assert closure_of(folder, files, "made.a") == "made made.a made.fast"
    before = source_fingerprint(["made.a"])
    edit(folder, compiled, "one", "two")
    assert source_fingerprint(["made.a"]) != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import made.gone", "module 'made.gone', imported by 'made.a': Python finds no such"),
        ("from made.gone import b", "module 'made.gone', imported by 'made.a': Python finds no"),
        ("from .gone.deeper import b", "module 'made.gone.deeper', imported by 'made.a'"),
        (
            "from ... import b",
            "module 'made.a', line 1: 'from ...' leads out of its package 'made'",
        ),
        ("def f(:", r"module 'made.a': .*made/a.py is not valid Python \(invalid syntax .*line 1"),
        ("a = '\0'", "module 'made.a': .*made/a.py is not valid Python .*null bytes"),
    ],
)
def test_a_module_that_cannot_be_read_is_named(folder: Path, text: str, message: str) -> None:
    write(folder, {"made/__init__.py": "", "made/a.py": text})
    with pytest.raises(ActreproError, match=message):
        source_fingerprint(["made.a"])


@pytest.mark.parametrize("module", ["no_such_module", "no_such.module", "made.gone", "sys"])
def test_a_named_module_without_source_is_named(folder: Path, module: str) -> None:
    write(folder, {"made/__init__.py": ""})
    with pytest.raises(ActreproError, match=f"^module '{module}': Python finds no such module;"):
        closure([module])


def test_a_file_that_cannot_be_opened_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, PACKAGE)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ActreproError, match=r"'made': .*cannot be read \(Permission denied\)"):
        closure(["made"])


@pytest.fixture
def copy(folder: Path) -> Path:
    """A copy of the library that Python finds in its place."""
    shutil.copytree(SOURCE, folder / "actrepro", ignore=shutil.ignore_patterns("__pycache__"))
    importlib.invalidate_caches()
    return folder


@pytest.mark.parametrize(
    ("file", "retrains"),
    [
        ("models/zoo/charlm.py", {"charlm"}),
        ("models/zoo/tinylstm.py", {"tinylstm"}),
        ("models/blocks.py", {"charlm", "tinylstm"}),
        ("models/__init__.py", {"charlm", "tinylstm"}),
        ("models/activations.py", {"charlm", "tinylstm"}),
        ("train/checkpoints.py", {"charlm", "tinylstm"}),
        ("data/corpus.py", {"charlm", "tinylstm"}),
        ("train/optimiser.py", {"charlm", "tinylstm"}),
        ("core/seeds.py", {"charlm", "tinylstm"}),
        ("train/loop.py", {"charlm", "tinylstm"}),
        ("__init__.py", {"charlm", "tinylstm"}),
        ("figures/draw.py", set()),
        ("train/resume.py", {"charlm", "tinylstm"}),
        ("config/study.py", set()),
        ("provenance/fingerprint.py", set()),
        ("core/locks.py", set()),
        ("gates/before.py", set()),
        ("predict/predictor.py", set()),
        ("report/page.py", set()),
        ("statistics/per_model.py", set()),
        ("results/frames.py", set()),
    ],
)
def test_an_edit_retrains_what_depends_on_it(copy: Path, file: str, retrains: set[str]) -> None:
    before = {model: training_fingerprint(model, ["relu"]) for model in ("charlm", "tinylstm")}
    with (copy / "actrepro" / file).open("a", encoding="utf-8") as stream:
        stream.write("\nADDED = 1\n")
    after = {model: training_fingerprint(model, ["relu"]) for model in before}
    assert {model for model in before if after[model] != before[model]} == retrains


def test_the_closure_of_training_excludes_later_stages() -> None:
    files = closure(["actrepro.train.loop", "actrepro.models.zoo.charlm"]).files
    assert files["actrepro.train.loop"] == SOURCE / "train/loop.py"
    assert {"actrepro", "actrepro.models.blocks", "actrepro.data.corpus"} <= files.keys()
    others = {"actrepro.results.frames", "actrepro.gates.before", "actrepro.models.zoo.tinylstm"}
    assert not others & files.keys()


def test_the_closure_covers_what_training_imports_at_run_time() -> None:
    code = (
        "import sys, actrepro.train.loop, actrepro.models.zoo.charlm\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'actrepro'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        set(done.stdout.split())
        <= closure(["actrepro.train.loop", "actrepro.models.zoo.charlm"]).files.keys()
    )


def test_a_model_of_ones_own_counts_with_its_package(folder: Path) -> None:
    model = "from actrepro.models.blocks import MLP\nfrom . import layers\n"
    write(folder, {"mine/__init__.py": "", "mine/model.py": model, "mine/layers.py": "WIDTH = 1\n"})
    before = training_fingerprint("mymodel", ["relu"], "mine.model")
    assert before != training_fingerprint("charlm", ["relu"])
    edit(folder, "mine/layers.py", "1", "2")
    assert training_fingerprint("mymodel", ["relu"], "mine.model") != before


def test_a_model_of_ones_own_may_be_a_single_file(folder: Path) -> None:
    write(folder, {"mymodel.py": "WIDTH = 1\n", "beside.py": "WIDTH = 1\n"})
    before = training_fingerprint("mymodel", ["relu"], "mymodel")
    edit(folder, "beside.py", "1", "2")
    assert training_fingerprint("mymodel", ["relu"], "mymodel") == before
    edit(folder, "mymodel.py", "1", "2")
    assert training_fingerprint("mymodel", ["relu"], "mymodel") != before


def test_fingerprints_import_nothing() -> None:
    code = (
        "import sys\n"
        "from actrepro.provenance.fingerprint import training_fingerprint\n"
        "print(training_fingerprint('charlm', ['relu']))\n"
        "print([name for name in ('torch', 'numpy', 'pydantic', 'actrepro.models', "
        "'actrepro.train.loop') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [training_fingerprint("charlm", ["relu"]), "[]"]


ACTIVATIONS = """\
import torch


def pointwise(function):
    return function


def gated(function):
    return function


def bend(x, by):
    return Bent.apply(x, by)


class Bent:
    SIZE = 1


@pointwise
def straight(x):
    return x


@pointwise
def bent(x):
    return bend(x, 2)


@gated
def both(x, y):
    return straight(x) * y
"""


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("return x\n", "return +x\n", {"straight", "both"}),
        ("bend(x, 2)", "bend(x, 3)", {"bent"}),
        ("SIZE = 1", "SIZE = 2", {"bent"}),
        ("Bent.apply(x, by)", "Bent.apply(by, x)", {"bent"}),
        ("(x) * y", "(y) * x", {"both"}),
        ("import torch", "import torch as t", {"straight", "bent", "both"}),
        ("pointwise(function):", "pointwise(function, a=1):", {"straight", "bent", "both"}),
    ],
)
def test_only_activations_in_use_count(copy: Path, old: str, new: str, changes: set[str]) -> None:
    write(copy, {"actrepro/models/activations.py": ACTIVATIONS})
    names = ("straight", "bent", "both")
    before = {name: training_fingerprint("charlm", [name]) for name in names}
    edit(copy, "actrepro/models/activations.py", old, new)
    after = {name: training_fingerprint("charlm", [name]) for name in names}
    assert {name for name in names if after[name] != before[name]} == changes
    # All count where none is named.
    assert source_of(["actrepro.models.activations"]).hashes() != source_of(
        ["actrepro.models.activations"]
    ).hashes(["straight"])


def test_nothing_else_imports_helpers_of_activations() -> None:
    """Helpers of activations count only for those that use them, so nothing else may import any."""
    taken = {
        alias.name
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "actrepro.models.activations"
        for alias in node.names
    }
    assert taken == {"Activation", "get_activation"}


def test_modules_that_shape_no_result_exist_and_count_only_where_named() -> None:
    files = [SOURCE.parent / name.replace(".", "/") for name in SHAPES_NO_RESULT]
    assert all(file.with_suffix(".py").exists() for file in files)
    assert not SHAPES_NO_RESULT.keys() & source_of(["actrepro.train.loop"]).files.keys()
    named = ["actrepro.train.loop", "actrepro.config.study"]
    assert "actrepro.config.study" in source_of(named).files


def script(folder: Path, text: str) -> Path:
    write(folder, {"stage.py": text})
    return folder / "stage.py"


def test_a_script_counts_with_what_it_imports(folder: Path) -> None:
    path = script(folder, "with job():\n    from actrepro.report.summary import write_summary\n")
    found = source_of_script(path).files
    assert found["stage.py"] == path
    assert {"actrepro.report.summary", "actrepro.core.formats"} <= found.keys()
    before = source_of_script(path).hashes()
    script(folder, "# A comment.\n" + path.read_text(encoding="utf-8"))
    assert source_of_script(path).hashes() == before
    script(folder, path.read_text(encoding="utf-8") + "done = 1\n")
    after = source_of_script(path).hashes()
    assert {name for name in after if after[name] != before[name]} == {"stage.py"}


def test_a_package_may_be_named_whole(folder: Path) -> None:
    found = source_of_script(script(folder, ""), ["actrepro.models.zoo.*"]).files
    assert {f"actrepro.models.zoo.{name}" for name in ("charlm", "tinylstm")} <= found.keys()


def test_templates_count_where_they_are_filled_in(folder: Path) -> None:
    path = script(folder, "from actrepro.report.page import write_report\n")
    found = source_of_script(path).files
    assert {"report.html.j2", "report.css", "parts.html.j2"} <= found.keys()
    assert "audit.js" not in found
    assert "report.css" not in source_of(["actrepro.statistics.per_model"]).files


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_of_the_workflow_has_a_source(path: Path) -> None:
    assert len(source_of_script(path).hashes()) > 1
