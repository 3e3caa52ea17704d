"""Which module of a package uses which other one, whatever kind of import brings it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard


def tree_of(path: Path) -> ast.Module:
    """Return the parsed text of a file; what has not changed is parsed once."""
    return _tree(path.read_text(encoding="utf-8"))


@functools.cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def imports(package_root: Path, package: str) -> dict[str, set[str]]:
    """Return for each module of a package the modules of the same package that it uses.

    Imports at the top, inside functions, under ``if TYPE_CHECKING`` and by a constant
    ``import_module("…")`` all count: a reader follows each of them.  A name that the
    ``__init__`` of a package only passes on counts for the module that defines it.

    Parameters
    ----------
    package_root
        Folder of the package.
    package
        Its import name.
    """
    trees = {}
    for path in sorted(package_root.rglob("*.py")):
        parts = path.relative_to(package_root).with_suffix("").parts
        name = ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])
        trees[name] = tree_of(path)
    packages = {name for name in trees if any(other.startswith(f"{name}.") for other in trees)}
    stated = {
        name: list(_stated(tree, name if name in packages else name.rpartition(".")[0]))
        for name, tree in trees.items()
    }

    def defining(module: str, symbol: str | None, seen: frozenset[tuple[str, str]]) -> str | None:
        """Return the module of the package that an import reaches, None for one elsewhere."""
        if symbol is not None and f"{module}.{symbol}" in trees:
            return f"{module}.{symbol}"
        if symbol is not None and module in packages and (module, symbol) not in seen:
            for source, passed_on, local in stated[module]:
                if local == symbol:
                    step = defining(source, passed_on, seen | {(module, symbol)})
                    return module if step is None else step
        return module if module in trees else None

    graph = {}
    for name in trees:
        used = {defining(module, symbol, frozenset()) for module, symbol, _ in stated[name]}
        graph[name] = {module for module in used if module is not None} - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that reach each other, each sorted; none where there is none."""
    reached = {name: _reached(graph, name) for name in graph}
    together = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(circle) for circle in sorted(together)]


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def _stated(tree: ast.AST, package: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield module, symbol (None for the module itself) and local name of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None, alias.asname or alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                yield module, alias.name, alias.asname or alias.name
        elif isinstance(node, ast.Call):
            # Looked at only where a text is handed over: to write a call out takes long.
            for name in node.args[:1]:
                if _is_text(name) and ast.unparse(node.func).endswith("import_module"):
                    yield str(name.value), None, ""


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
