"""The rules of the rooms: who may import whom, and what no light command may drag in."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import circles, imports, tree_of
from test_docs import names_in, rows_after

ROOT = Path(__file__).parents[1]
MAX_LINES = 500


# ------------------------------------------------------------------- who may import whom


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no sources under {ROOT / package}"
    return found


def imported_names(path: Path, *, types: bool) -> Iterator[str]:
    """Yield what a file imports anywhere; if `types`, also under ``if TYPE_CHECKING``."""
    yield from (name for name, for_types in all_imported(path) if types or not for_types)


@functools.cache
def all_imported(path: Path) -> tuple[tuple[str, bool], ...]:
    """Return what a file imports, each with whether it stands under ``if TYPE_CHECKING``."""

    def visit(node: ast.AST, for_types: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from visit(child, True)
            for child in node.orelse:
                yield from visit(child, for_types)
            return
        if isinstance(node, ast.Import):
            yield from ((alias.name, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((f"{node.module}.{alias.name}", for_types) for alias in node.names)
        elif isinstance(node, ast.Call):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and ast.unparse(node.func).endswith(
                ("import_module", "__import__")
            ):
                yield str(first.value), for_types
        for child in ast.iter_child_nodes(node):
            yield from visit(child, for_types)

    return tuple(visit(tree_of(path), False))


def offenders(package: str, forbidden: set[str], allowed: tuple[str, ...] = ()) -> list[str]:
    """Return ``file: import`` for every import of a forbidden package, but for types alone."""
    found = []
    for path in modules(package):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(allowed):
            continue
        found += [
            f"{name}: {imported}"
            for imported in imported_names(path, types=False)
            if any(imported == each or imported.startswith(f"{each}.") for each in forbidden)
        ]
    return found


def levels() -> dict[str, int]:
    """Return the level of each room of `screening`, as the documentation states it."""
    rows = rows_after("docs/architecture.md", "<!-- rooms -->")
    return {room: int(level) for level, cell, _ in rows for room in names_in(cell)}


def room(module: str) -> str:
    """Return the room of a module of a package, "" for one at the package's root."""
    return module.split(".")[1] if "." in module else ""


def upward(graph: dict[str, set[str]], levels: dict[str, int]) -> list[str]:
    """Return ``module -> module`` for every import from a room that is not of a lower level."""
    return sorted(
        f"{importer} -> {imported}"
        for importer, used in graph.items()
        for imported in used
        if room(importer) in levels and room(imported) != room(importer)
        if levels.get(room(imported), MAX_LINES) >= levels[room(importer)]
    )


def hidden_imports(path: Path) -> list[str]:
    """Return import paths, ``module:attribute``, that stand anywhere but in a module's tables."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

    def named(tree: ast.AST) -> list[str]:
        return [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"(screening|workflows)(\.\w+)+:\w+", node.value)
        ]

    tree = tree_of(path)
    # Few files name any: their functions alone are looked through.
    if not named(tree):
        return []
    return [name for node in ast.walk(tree) if isinstance(node, functions) for name in named(node)]


@pytest.fixture(scope="module")
def graphs() -> dict[str, dict[str, set[str]]]:
    return {package: imports(ROOT / package, package) for package in ("screening", "workflows")}


@pytest.fixture
def graph(graphs) -> dict[str, set[str]]:
    return graphs["screening"]


def test_every_room_has_a_level():
    folders = {path.parent.name for path in (ROOT / "screening").glob("*/__init__.py")}
    assert len(folders) > 10
    assert folders <= set(levels())


def test_rooms_import_from_lower_rooms_only(graph):
    assert upward(graph, levels()) == []
    product = [path for path in modules("screening") if "testing" not in path.parts]
    assert [name for path in product for name in hidden_imports(path)] == []


@pytest.mark.parametrize("package", ["screening", "workflows"])
def test_no_modules_import_each_other(package, graphs):
    assert len(graphs[package]) > 10
    assert circles(graphs[package]) == []


def test_screening_knows_workflows_through_a_few_doors():
    rows = rows_after("docs/architecture.md", "<!-- doors -->")
    doors = {(door, user) for row in rows for door in names_in(row[0]) for user in names_in(row[1])}
    known = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules("workflows")
    }
    known |= {name.removesuffix(".__init__") for name in known}
    used = set()
    for path in modules("screening"):
        user = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name in imported_names(path, types=True):
            if name.startswith("workflows."):
                used.add((name if name in known else name.rpartition(".")[0], user))
    assert used == doors


MADE_UP = {
    "__init__.py": "",
    "low/__init__.py": "",
    "low/stone.py": "import json\n",
    "high/__init__.py": "",
    "high/roof.py": "from house.low.stone import Stone\n",
}
"""A package of two rooms that keeps to the rules."""


@pytest.fixture
def house(tmp_path):
    """Build the made-up package, files changed: ``house({"low/stone.py": …})``."""

    def build(changes: dict[str, str]) -> dict[str, set[str]]:
        for name, text in (MADE_UP | changes).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        return imports(tmp_path, "house")

    return build


UPWARD = {
    "only for types": "from typing import TYPE_CHECKING\n"
    "if TYPE_CHECKING:\n    from house.high.roof import Roof\n",
    "inside a function": "def late():\n    from house.high.roof import Roof\n",
    "by name": "from importlib import import_module\nroof = import_module('house.high.roof')\n",
    "relative": "from ..high import roof\n",
}


@pytest.mark.parametrize("source", UPWARD.values(), ids=UPWARD)
def test_the_rules_see_upward_imports_and_circles(house, source):
    made_up = {"low": 0, "high": 1}
    assert upward(house({}), made_up) == circles(house({})) == []
    graph = house({"low/stone.py": source})
    assert upward(graph, made_up) == ["house.low.stone -> house.high.roof"]
    assert circles(graph) == [["house.high.roof", "house.low.stone"]]


def test_the_rules_see_a_room_without_a_level_and_a_circle_within_one(house):
    graph = house({"low/stone.py": "import house.attic\n", "attic.py": ""})
    assert upward(graph, {"low": 0, "high": 1}) == ["house.low.stone -> house.attic"]
    graph = house(
        {
            "high/roof.py": "from house.high import tile\n",
            "high/tile.py": "def late():\n    from house.high.roof import Roof\n",
        }
    )
    assert upward(graph, {"low": 0, "high": 1}) == []
    assert circles(graph) == [["house.high.roof", "house.high.tile"]]


def test_the_rules_see_import_paths_outside_of_tables(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "KINDS = {'a': 'screening.candidates.kinds:CRYSTAL'}\n"
        "def late():\n    return load('screening.cli.program:main')\n"
    )
    assert hidden_imports(path) == ["screening.cli.program:main"]


def test_the_rules_see_imports_of_other_packages(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import phonopy\n"
        "def late():\n    from phono3py import Phono3py\n"
        "    import_module('screening.cli.program')\n"
    )
    run = ["typing.TYPE_CHECKING", "phono3py.Phono3py", "screening.cli.program"]
    assert list(imported_names(path, types=False)) == run
    assert sorted(imported_names(path, types=True)) == sorted([*run, "phonopy"])


@pytest.mark.parametrize("package", ["screening", "workflows"])
def test_files_are_short(package):
    files = [path for kind in ("py", "js") for path in (ROOT / package).rglob(f"*.{kind}")]
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in files
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_physics_knows_no_campaign():
    forbidden = {"screening", "configs", "pymongo", "fireworks", "sklearn", "skopt"}
    assert offenders("workflows", forbidden) == []


@pytest.mark.parametrize(
    "back",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made_up.parts import Leaf\n",
        "def late():\n    from made_up.parts import Leaf\n",
        "from importlib import import_module\nleaf = import_module('made_up.parts.leaf')\n",
        "from .parts import Leaf as Sheet\n",
    ],
)
def test_a_circle_is_seen_whatever_the_import(tmp_path, back):
    (tmp_path / "parts").mkdir()
    (tmp_path / "__init__.py").touch()
    (tmp_path / "parts" / "__init__.py").write_text("from made_up.parts.leaf import Leaf\n")
    (tmp_path / "parts" / "leaf.py").write_text("import made_up.trunk\nclass Leaf: ...\n")
    (tmp_path / "trunk.py").write_text("import json\n")
    assert circles(imports(tmp_path, "made_up")) == []
    (tmp_path / "trunk.py").write_text(back)
    graph = imports(tmp_path, "made_up")
    assert "made_up.parts.leaf" in graph["made_up.trunk"]
    assert circles(graph) == [["made_up.parts.leaf", "made_up.trunk"]]


def test_only_lattice_dynamics_imports_phonopy_and_phono3py():
    forbidden = {"phonopy", "phono3py", "symfc"}
    assert offenders("workflows", forbidden, ("workflows/lattice_dynamics/",)) == []
    assert offenders("screening", forbidden) == []


def test_only_its_own_process_imports_the_embedded_server():
    """Its licence is the GPL: the rest speaks to it over the network protocol."""
    allowed = "screening/store/embedded_process.py"
    assert offenders("screening", {"secantus"}, (allowed,)) == []


def test_objectives_name_makers_that_exist():
    from screening.machine.plugins import imported
    from screening.targets.objectives import known_objectives
    from workflows.target import TargetMaker

    for objective in known_objectives():
        maker, recipe = imported(objective.maker), imported(objective.recipe)
        assert maker.__module__.startswith("workflows.")
        assert recipe.model_config["extra"] == "forbid"
        assert isinstance(maker(engine=None), TargetMaker)


def test_views_draw_nothing_and_figures_ask_no_database():
    assert offenders("screening/views", {"matplotlib", "screening.figures"}) == []
    allowed = ("screening/figures/plot.py",)
    forbidden = {"pymongo", "screening.store", "screening.campaigns.campaign", "matplotlib.pyplot"}
    assert offenders("screening/figures", forbidden, allowed) == []


def test_configs_hold_no_code():
    for path in modules("configs"):
        assert len(tree_of(path).body) <= 1, path


# ------------------------------------------------------------- what light modules drag in


HEAVY = {
    "ase",
    "atomate2",
    "fireworks",
    "jobflow",
    "matplotlib",
    "pandas",
    "phono3py",
    "phonopy",
    "pymatgen",
    "pymongo",
    "rdkit",
    "scipy",
    "secantus",
    "sklearn",
    "skopt",
    "spglib",
    "torch",
}
LIGHT = {
    "screening.cli.program": {"numpy", "pydantic", "rich", "yaml"},
    "workflows.recipes": {"numpy"},
    # Its licence is the GPL: `secantus` is imported only when the server starts.
    "screening.store.embedded_process": {"numpy"},
    "screening.candidates.crystal_kind": set(),
    "screening.candidates.crystal_features": set(),
    "screening.candidates.polymer_kind": set(),
    "screening.sources.polyimides": set(),
    "screening.sources.repeat_units": set(),
    "screening.sources": set(),
    "screening.choosing.config": set(),
    "screening.choosing.samplers": set(),
    "screening.choosing.surrogates": set(),
    "screening.ranking.entries": set(),
}
"""Modules in the order in which one process imports them, with what they avoid besides `HEAVY`."""
IMPORTING = """
import importlib, json, sys
loaded = {}
for module in sys.argv[1:]:
    importlib.import_module(module)
    loaded[module] = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Packages that are loaded after each of the light modules."""
    finished = subprocess.run(
        [sys.executable, "-c", IMPORTING, *LIGHT],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(finished.stdout)


def test_light_modules_stay_light(loaded):
    dragged_in = {
        module: (HEAVY | avoided) & set(loaded[module]) for module, avoided in LIGHT.items()
    }
    assert dragged_in == {module: set() for module in LIGHT}


@pytest.mark.parametrize("package", ["workflows", "configs", "screening"])
def test_packages_are_ours(package):
    # PyPI has distributions of these names; none of them may shadow ours or lie beside it.
    for shadow in ("workflows", "configs"):
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.distribution(shadow)
    owners = importlib.metadata.packages_distributions().get(package, ["matscreen"])
    assert set(owners) == {"matscreen"}
    module = __import__(package)
    assert Path(module.__file__).parent.name == package
    ours = {"workflows": "recipes.py", "configs": "targets", "screening": "cli"}
    assert (Path(module.__file__).parent / ours[package]).exists()
