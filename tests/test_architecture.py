"""The rules of the rooms: who may import whom, and what no light command may drag in."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_graph import circles, imports

ROOT = Path(__file__).parents[1]
BRIDGE = "screening/campaigns/flows.py"
STORED_FORCES = ("screening/results/phonons.py", "screening/exports/phono3py.py")
"""What makes stored forces into phonopy's and phono3py's objects and files again."""
MAKER_MODULES = {
    "workflows.conductivity",
    "workflows.forces",
    "workflows.lattice_dynamics",
    "workflows.phonons",
    "workflows.relaxation",
}


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no sources under {ROOT / package}"
    return found


def imported_names(path: Path) -> Iterator[str]:
    """Yield what a file imports anywhere when it runs: not under ``if TYPE_CHECKING``."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                yield from visit(child)
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            first = node.args[0] if node.args else None
            if called.endswith(("import_module", "__import__")) and isinstance(first, ast.Constant):
                yield str(first.value)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")))


def offenders(package: str, forbidden: set[str], allowed: tuple[str, ...] = ()) -> list[str]:
    """Return ``file: import`` for every import of a forbidden package or module."""
    found = []
    for path in modules(package):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(allowed):
            continue
        found += [
            f"{name}: {imported}"
            for imported in imported_names(path)
            if any(imported == each or imported.startswith(f"{each}.") for each in forbidden)
        ]
    return found


def test_the_rule_itself_sees_imports(tmp_path):
    source = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import phonopy\n"
        "def late():\n    from phono3py import Phono3py\n"
        "    import_module('screening.cli.program')\n"
    )
    path = tmp_path / "module.py"
    path.write_text(source)
    assert list(imported_names(path)) == [
        "typing.TYPE_CHECKING",
        "phono3py.Phono3py",
        "screening.cli.program",
    ]


def test_physics_knows_no_campaign():
    forbidden = {"screening", "configs", "pymongo", "fireworks", "sklearn", "skopt"}
    assert offenders("workflows", forbidden) == []


def test_no_circle_of_modules_in_workflows():
    assert circles(imports(ROOT / "workflows", "workflows")) == []


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


def test_only_the_bridge_touches_makers():
    lattice_dynamics = {"workflows.lattice_dynamics"}
    assert offenders("screening", MAKER_MODULES - lattice_dynamics, (BRIDGE,)) == []
    assert offenders("screening", lattice_dynamics, (BRIDGE, *STORED_FORCES)) == []


def test_only_its_own_process_imports_the_embedded_server():
    """Its licence is the GPL: the rest speaks to it over the network protocol."""
    allowed = "screening/store/embedded_process.py"
    assert offenders("screening", {"secantus"}, (allowed,)) == []
    program = f"import sys, {allowed[:-3].replace('/', '.')}; sys.exit('secantus' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_objectives_name_makers_that_exist():
    from screening.targets.objectives import OBJECTIVES, load
    from workflows.target import TargetMaker

    for objective in OBJECTIVES.values():
        maker, recipe = load(objective.maker), load(objective.recipe)
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
        assert len(ast.parse(path.read_text(encoding="utf-8")).body) <= 1, path


HEAVY = {
    "ase",
    "atomate2",
    "fireworks",
    "jobflow",
    "matplotlib",
    "phono3py",
    "phonopy",
    "pymatgen",
    "pymongo",
    "scipy",
    "sklearn",
    "skopt",
    "torch",
}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("screening.cli.program", HEAVY | {"numpy", "pydantic", "rich", "yaml"}),
        ("workflows.recipes", HEAVY),
    ],
)
def test_light_modules_stay_light(module, heavy):
    program = (
        f"import sys, json, {module}; "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert heavy & set(json.loads(finished.stdout)) == set()


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
