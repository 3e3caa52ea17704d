"""What the models say of molecules and repeat units, in the order in which they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from screening.messages.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECOMPOSES_C = 300
"""Above it most organic molecules decompose within hours; a rule of thumb, not computed."""
STANDARD_ERRORS = 1.645
"""That hold nine in ten of a normal distribution."""


class NearestKnown(BaseModel, frozen=True):
    """The labelled entry that is most like one that was asked about.

    Attributes
    ----------
    name : str
        Of a polymer; of a molecule its SMILES.
    liquid_crystalline : bool
    distance : float
        Of polymers, in multiples of the reach of the domain; of molecules, one minus the Tanimoto
        similarity of their parts.
    """

    name: str
    liquid_crystalline: bool
    distance: float


class Interval(BaseModel, frozen=True):
    """A number and the interval that holds the truth of unseen entries nine times in ten."""

    expected: float
    low: float
    high: float


class Classified(BaseModel, frozen=True):
    """What is said of one entry; all null, with a reason, where it cannot be read.

    Attributes
    ----------
    smiles : str
        As it was given.
    name : str
        As it was given, empty for none.
    kind : {'polymer', 'molecule'}, optional
    probability_liquid_crystalline : float, optional
    conformal_set : list of str, optional
        Of ``lc`` and ``not-lc``, what is possible at an error of 10 % in each class.
    inside_domain : bool, optional
        Whether labelled entries are near.
    nearest_known : NearestKnown, optional
    shapes : dict of str to float, optional
        Of a molecule that may be liquid-crystalline, the probability of each shape of phases, the
        likeliest first; see `screening.learned.mesogen_shape`.
    melting_temperature_c, clearing_temperature_c : Interval, optional
        Of a molecule that may be liquid-crystalline, in °C.
    may_clear_above_decomposition : bool, optional
        Whether the interval of its clearing temperature reaches beyond `DECOMPOSES_C`.
    glass_kappa_300k_w_per_m_k : Interval, optional
        Of a polymer that is amorphous; see `screening.learned.glass_conductivity`.
    reason : str, optional
        Why nothing can be said.
    """

    smiles: str
    name: str = ""
    kind: str | None = None
    probability_liquid_crystalline: float | None = None
    conformal_set: list[str] | None = None
    inside_domain: bool | None = None
    nearest_known: NearestKnown | None = None
    shapes: dict[str, float] | None = None
    melting_temperature_c: Interval | None = None
    clearing_temperature_c: Interval | None = None
    may_clear_above_decomposition: bool | None = None
    glass_kappa_300k_w_per_m_k: Interval | None = None
    reason: str | None = None


def classify(entries: Sequence[tuple[str, str]]) -> list[Classified]:
    """Return what is said of entries, each a SMILES and a name, in their order."""
    read: list[tuple[str, Any]] = []
    for smiles, _ in entries:
        try:
            read.append(_read(smiles))
        except RefusedError as error:
            read.append(("", str(error)))
    found: dict[int, dict[str, Any]] = {}
    for kind, answers in (("polymer", _of_polymers), ("molecule", _of_molecules)):
        places = [place for place, (of_kind, _) in enumerate(read) if of_kind == kind]
        if places:
            told = answers([read[place][1] for place in places])
            found |= {
                place: {"kind": kind, **each} for place, each in zip(places, told, strict=True)
            }
    return [
        Classified(smiles=smiles, name=name, **found.get(place, {"reason": read[place][1]}))
        for place, (smiles, name) in enumerate(entries)
    ]


def _read(smiles: str) -> tuple[str, Any]:
    """Return the kind of an entry and its canonical form."""
    from screening.molecules.polymer_smiles import covalent_molecule
    from screening.molecules.polymer_unit import canonical_smiles

    if "*" in smiles:
        return "polymer", canonical_smiles(smiles)
    from rdkit import Chem

    molecule = covalent_molecule(smiles)
    if not molecule.GetNumHeavyAtoms():
        raise RefusedError(Refusal.of_words("it has no atom besides hydrogen"))
    return "molecule", str(Chem.MolToSmiles(molecule))


def _of_polymers(units: list[str]) -> list[dict[str, Any]]:
    from screening.learned.glass_conductivity import glass_conductivity
    from screening.learned.polymer_classifier import polymer_classifier
    from screening.molecules.polymer_features import features

    model = polymer_classifier()
    numbers = np.array([features(unit) for unit in units])
    said = model.answers(numbers)
    kappa_w_per_m_k, log10_std = glass_conductivity().expected(numbers)
    factor = 10 ** (STANDARD_ERRORS * log10_std)
    return [
        {
            "probability_liquid_crystalline": round(float(said.probability[place]), 4),
            "conformal_set": said.sets[place],
            "inside_domain": bool(said.inside[place]),
            "nearest_known": NearestKnown(
                name=model.polymers[nearest].name,
                liquid_crystalline=model.polymers[nearest].liquid_crystalline,
                distance=round(float(said.distance[place]), 3),
            ),
            "glass_kappa_300k_w_per_m_k": _interval(
                kappa_w_per_m_k[place],
                kappa_w_per_m_k[place] / factor[place],
                kappa_w_per_m_k[place] * factor[place],
                digits=3,
            ),
        }
        for place, nearest in enumerate(said.nearest)
    ]


def _of_molecules(molecules: list[str]) -> list[dict[str, Any]]:
    from screening.learned.molecule_classifier import molecule_classifier
    from screening.learned.molecule_features import molecule_numbers, plain_molecule

    model = molecule_classifier()
    numbers = molecule_numbers([plain_molecule(smiles) for smiles in molecules])
    said = model.answers(numbers)
    phases = _phases(
        numbers.dense, [place for place, found in enumerate(said.sets) if "lc" in found]
    )
    return [
        {
            "probability_liquid_crystalline": round(float(said.probability[place]), 4),
            "conformal_set": said.sets[place],
            "inside_domain": bool(said.inside[place]),
            "nearest_known": NearestKnown(
                name=model.smiles[nearest],
                liquid_crystalline=bool(model.labels[nearest]),
                distance=round(1 - float(said.likeness[place]), 3),
            ),
            **phases.get(place, {}),
        }
        for place, nearest in enumerate(said.nearest)
    ]


def _phases(dense: NDArray[np.float64], places: list[int]) -> dict[int, dict[str, Any]]:
    """Return what is said of the phases of some molecules; of others they have no meaning."""
    if not places:
        return {}
    from screening.learned.mesogen_shape import mesogen_shapes
    from screening.learned.transition_temperatures import transition_model

    mine = dense[places]
    shapes = mesogen_shapes(mine)
    melting, clearing = (transition_model(name).answers(mine) for name in ("melting", "clearing"))
    return {
        place: {
            "shapes": shapes[row],
            "melting_temperature_c": _interval(*melting.row(row), digits=0),
            "clearing_temperature_c": _interval(*clearing.row(row), digits=0),
            "may_clear_above_decomposition": bool(clearing.high_c[row] > DECOMPOSES_C),
        }
        for row, place in enumerate(places)
    }


def _interval(expected: float, low: float, high: float, digits: int) -> Interval:
    return Interval(
        expected=round(float(expected), digits),
        low=round(float(low), digits),
        high=round(float(high), digits),
    )
