"""Shipped YAML: targets and engines by name, and the user's own by path."""

from __future__ import annotations

import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from screening.machine.text_files import NoTextError, read_text, user_path
from screening.messages.errors import ScreenError

SUFFIXES = (".yaml", ".yml")


_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has been built so: ten times as fast."""


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML text; PyYAML's errors are the caller's to tell."""
    return yaml.load(text, Loader=_SAFE_LOADER)


def data_file(name: str) -> Traversable:
    """Return a data file that is shipped in `configs/`."""
    return resources.files("configs") / name


def data_beside(name: str, folder: Path, what: str) -> Path | Traversable | None:
    """Return the data file that a YAML names: beside it, or shipped; None where there is none.

    Parameters
    ----------
    folder
        Where the YAML is.
    what
        Whose data it is, in messages.
    """
    near = folder / user_path(name, what)
    if near.is_file():
        return near
    shipped = data_file("data") / name
    return shipped if Path(name).name == name and shipped.is_file() else None


def names(kind: str) -> list[str]:
    """Return the names of all shipped files of a kind (``targets``, ``engines``, …)."""
    folder = resources.files("configs") / kind
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def read(kind: str, name_or_path: str) -> dict[str, Any]:
    """Return the content of a shipped file, or of the YAML file at a path.

    Raises
    ------
    ScreenError
        When there is neither, or it is not a YAML mapping.
    """
    known = names(kind)
    if name_or_path in known:
        text = (resources.files("configs") / kind / f"{name_or_path}.yaml").read_text("utf-8")
    else:
        path = user_path(name_or_path, f"{kind.removesuffix('s')} '{name_or_path}'")
        if path.suffix not in SUFFIXES:
            guesses = (f"{path}{suffix}" for suffix in SUFFIXES)
            meant = next(filter(os.path.isfile, guesses), None)
            hint = (
                f"did you mean '{meant}'?"
                if meant
                else f"known: {', '.join(known)}, or a YAML file"
            )
            raise ScreenError(f"{kind.removesuffix('s')} '{name_or_path}': unknown; {hint}")
        if not path.is_file():
            raise ScreenError(f"file '{name_or_path}' not found")
        try:
            with path.open("rb") as raw:
                text = read_text(raw, strict=True)
        except NoTextError as error:
            raise ScreenError(f"{name_or_path}: {error}") from None
        except OSError as error:
            raise ScreenError(f"{name_or_path}: cannot be read ({error.strerror})") from None
    try:
        content = parse_yaml(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" at line {place.line + 1}" if place is not None else ""
        raise ScreenError(
            f"{name_or_path}: is no valid YAML{line}; check its indentation"
        ) from None
    if content is None:
        raise ScreenError(f"{name_or_path}: is empty; expected a YAML mapping of fields to values")
    if not isinstance(content, dict):
        raise ScreenError(f"{name_or_path}: expected a YAML mapping of fields to values")
    return content
