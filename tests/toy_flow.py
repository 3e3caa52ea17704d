"""A toy objective: a jobflow Maker that answers in milliseconds and misbehaves on request.

Registered as objective ``toy`` by the fixture of that name, and in worker processes by
``toy_site/sitecustomize.py``.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jobflow import Maker, Response, job

from workflows.recipes import Recipe
from workflows.target import NO_INPUTS, TargetDefaults

COMPLETE = "energy 1.0 eV\njob done\n"


class ToyRecipe(Recipe):
    """What the toy does; crystals are named by their reduced formula.

    Parameters
    ----------
    folder
        Keeps a diary: one line when a step starts and one when a candidate is finished.
    unstable, failing, failing_once
        Crystals that end so; ``failing_once`` needs `folder`.
    steps
        Jobs a candidate takes, each created by the one before.
    seconds
        Time a step takes.
    second
        Whether there is a second number, for campaigns with two objectives.
    output
        Whether each step writes a file and reads it again at its end, as a program's output is;
        one that was truncated meanwhile is an error.  A step that ended leaves no file.
    gated
        Whether steps wait at their end until `allow` lets candidates finish: what a test does
        meanwhile happens while they run, however fast the machine is.
    """

    folder: str = ""
    unstable: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    failing_once: tuple[str, ...] = ()
    steps: int = 1
    seconds: float = 0.0
    second: bool = False
    output: bool = False
    gated: bool = False


@dataclass
class ToyMaker(TargetDefaults, Maker):
    """The volume of an atom, called a conductivity."""

    name: str = "toy"
    engine: Any = None
    recipe: ToyRecipe = field(default_factory=ToyRecipe)
    step: int = 1

    @job
    def make(self, structure, inputs=NO_INPUTS):
        formula = structure.composition.reduced_formula
        recipe = self.recipe
        _write(recipe.folder, "start", formula)
        output = Path(f"{formula}.out")
        if recipe.output:
            output.write_text(COMPLETE)
        time.sleep(recipe.seconds)
        while recipe.gated and finished(recipe.folder) >= allowed(recipe.folder):
            time.sleep(0.05)
        if recipe.output:
            if output.read_text() != COMPLETE:
                raise RuntimeError(f"the output of {formula} is truncated")
            output.unlink()
        once = formula in recipe.failing_once and diary(recipe.folder)["start", formula] == 1
        if once or formula in recipe.failing:
            raise RuntimeError(f"{formula} cannot be computed")
        if self.step < recipe.steps:
            return Response(replace=replace(self, step=self.step + 1).make(structure))
        _write(recipe.folder, "end", formula)
        stable = formula not in recipe.unstable
        return {
            "outcome": "computed" if stable else "unstable",
            "reason": "" if stable else "imaginary modes",
            "formula": formula,
            "kappa_300k_w_per_m_k": toy_value(structure) if stable else None,
            "kappa_300k_error_w_per_m_k": 0.1 if stable else None,
            **({"max_frequency_thz": (7 * toy_value(structure)) % 5} if recipe.second else {}),
            "cost": 1,
            "cost_unit": "force calls",
            "wall_s": recipe.seconds * recipe.steps,
        }

    def estimate_cost(self, structure):
        return len(structure)


def toy_value(structure) -> float:
    return structure.volume / len(structure)


def diary(folder: str | Path) -> Counter[tuple[str, str]]:
    """Return how often each ``(event, formula)`` was written."""
    path = Path(folder) / "diary"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter((event, formula) for event, formula in map(str.split, lines))


def finished(folder: str | Path) -> int:
    """Return how many times a candidate was finished."""
    return sum(count for (event, _), count in diary(folder).items() if event == "end")


def allow(folder: str | Path, count: int) -> None:
    """Let so many candidates of a gated campaign finish, all in all; none before this is called.

    A few more may: each step looks for itself.
    """
    new = Path(folder) / "allowed.new"
    new.write_text(str(count))
    new.replace(Path(folder) / "allowed")


def allowed(folder: str | Path) -> int:
    path = Path(folder) / "allowed"
    return int(path.read_text()) if path.exists() else 0


def _write(folder: str, event: str, formula: str) -> None:
    if folder:
        # One write to a file opened for appending is whole, also with several writers.
        handle = os.open(Path(folder) / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{event} {formula}\n".encode())
        os.close(handle)
