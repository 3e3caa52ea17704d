"""Labelled molecules and polymers that ship with the product."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from functools import cache

from screening.machine.shipped_configs import data_file

MOLECULES = "lc-molecules.csv.gz"
POLYMERS = "polymers-labelled.csv.gz"
TRANSITIONS = "lc-transition-temperatures.csv.gz"
GLASSES = "radonpy-glasses.csv.gz"


@dataclass(frozen=True)
class LabelledPolymer:
    """A polymer of which it is known, or generally held, whether it is liquid-crystalline.

    Attributes
    ----------
    name : str
    smiles : str
        Repeat unit with two ``*``.
    liquid_crystalline : bool
        Thermotropic or lyotropic.
    series : str
        Polymers of one series differ in the length of a spacer, one hinge or one monomer; they are
        left out together when a model is judged.
    verified : bool
        False for members of a patented class of which none by itself was looked up: models are
        judged on them, and not fitted to them.
    """

    name: str
    smiles: str
    liquid_crystalline: bool
    series: str
    verified: bool = True


@dataclass(frozen=True)
class LabelledMolecule:
    """A molecule and whether a liquid-crystalline phase of it is known.

    Attributes
    ----------
    smiles : str
    liquid_crystalline : bool
    shape : {'rod-like', 'bent-core', 'discotic', ''}
        Of a liquid-crystalline one.
    """

    smiles: str
    liquid_crystalline: bool
    shape: str = ""


@dataclass(frozen=True)
class MeasuredTransition:
    """A liquid-crystalline molecule and a temperature of it, in °C."""

    smiles: str
    temperature_c: float


@dataclass(frozen=True)
class ComputedGlass:
    """An amorphous polymer and its κ at 300 K in W/m/K, by molecular dynamics.

    Attributes
    ----------
    smiles : str
        Repeat unit with two ``*``.
    polymer_class : str
        Polymers of one class are left out together when a model is judged.
    kappa_w_per_m_k : float
    """

    smiles: str
    polymer_class: str
    kappa_w_per_m_k: float


def labelled_polymers(content: bytes | None = None) -> list[LabelledPolymer]:
    """Return the polymers of a packed table, the shipped one by default."""
    return [
        LabelledPolymer(
            row["name"],
            row["psmiles"],
            row["phase"] != "N",
            row.get("series") or row["name"],
            row.get("evidence") != "C",
        )
        for row in _rows(content or content_of(POLYMERS))
    ]


def labelled_molecules(content: bytes | None = None) -> list[LabelledMolecule]:
    """Return the molecules of a packed table, the shipped one by default."""
    return [
        LabelledMolecule(row["smiles"], row["lc"] == "1", row.get("shape") or "")
        for row in _rows(content or content_of(MOLECULES))
    ]


def measured_transitions(name: str) -> list[MeasuredTransition]:
    """Return the molecules of which a ``clearing`` or ``melting`` temperature is known."""
    return [
        MeasuredTransition(row["smiles"], float(row[f"{name}_temperature_c"]))
        for row in _rows(content_of(TRANSITIONS))
        if row[f"{name}_temperature_c"]
    ]


def computed_glasses() -> list[ComputedGlass]:
    """Return the amorphous polymers of RadonPy's table."""
    return [
        ComputedGlass(row["psmiles"], row["polymer_class"], float(row["kappa_300k_w_per_m_k"]))
        for row in _rows(content_of(GLASSES))
    ]


@cache
def content_of(name: str) -> bytes:
    """Return a shipped table as it is packed."""
    return (data_file("data") / name).read_bytes()


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_text(content))))


def _text(content: bytes) -> str:
    packed = content[:2] == b"\x1f\x8b"
    return (gzip.decompress(content) if packed else content).decode("utf-8-sig")
