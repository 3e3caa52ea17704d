"""Ordered structures of a lattice as a kind of candidates, described by their cluster vectors."""

from __future__ import annotations

from pydantic import Field

from screening.alloys import cluster_features
from screening.alloys.lattice import AlloyLattice
from screening.candidates.candidate import Candidate
from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind
from screening.candidates.ordering import Ordering, read_ordering
from screening.messages.quantities import Quantity
from screening.messages.refusal import Refusal


class OrderingFilters(CandidateFilters):
    """Which ordered structures a campaign looks at.

    Attributes
    ----------
    max_sites : int
        Most atoms in the cell; the end members always stay.
    """

    max_sites: int = Field(default=16, ge=1)

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Return why a structure stays out of the campaign; None lets it in."""
        assert isinstance(candidate, Ordering)
        if candidate.n_sites > self.max_sites:
            text = f"it has {{sites}} atoms in the cell, more than max_sites = {self.max_sites}"
            return Refusal.of(text, sites=candidate.n_sites)
        return super().refusal(candidate)


def describe_ordering(candidate: Candidate) -> list[float]:
    """Return concentrations and the cluster vector, as `cluster_features.features` has them."""
    from pymatgen.io.ase import AseAtomsAdaptor

    assert isinstance(candidate, Ordering)
    lattice = AlloyLattice.model_validate(candidate.alloy_lattice)
    return cluster_features.features(lattice, AseAtomsAdaptor.get_atoms(candidate.content()))


ORDERING = CandidateKind(
    name="ordering",
    plural="ordered structures",
    help="Ordered structures of one lattice, described by their cluster vectors.",
    model=Ordering,
    label_field="formula",
    facts=(
        Quantity("formula", "formula", ""),
        Quantity("space_group_number", "space group", ""),
        Quantity("n_sites", "atoms in the cell", ""),
        Quantity("lattice", "lattice", ""),
        Quantity("system", "mixed species", ""),
    ),
    read=read_ordering,
    describe=describe_ordering,
    features_version=cluster_features.VERSION,
    filters=OrderingFilters,
    repeated=("elements", "n_sites"),
    alike=("lattice_key",),
    chemical=True,
    drawing="screening.views.crystal:draw",
)
