"""Lattices, their enumeration, the kind of candidates and its source."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from screening.alloys.lattice import AlloyLattice
from screening.candidates.candidate import Origin
from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.testing.candidate_kind_contract import CandidateKindContract
from screening.testing.source_contract import SourceContract

pytest.importorskip("icet")

FCC = "lattice: fcc\nlattice_constant_a: 3.9\nspecies: [Cu, Au]\nmax_atoms: 3\n"


@pytest.fixture
def orderings(tmp_path):
    """Open a source from a YAML, written for the time."""

    def opened(text=FCC):
        path = tmp_path / "alloy.yaml"
        path.write_text(text)
        return open_source(f"orderings:{path}")

    return opened


class TestKind(CandidateKindContract):
    @pytest.fixture
    def kind(self):
        from screening.candidates.ordering_kind import ORDERING

        return ORDERING

    @pytest.fixture
    def contents(self, orderings):
        return [record.content for record in orderings().records()]

    @pytest.fixture
    def unusable(self):
        return Structure(Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])


class TestSource(SourceContract):
    @pytest.fixture
    def source(self, orderings):
        return orderings()


@pytest.mark.parametrize(
    ("lattice", "atoms", "count"),
    # G. L. W. Hart and R. W. Forcade, Phys. Rev. B 77, 224115 (2008), table IV: binary structures
    # of fcc and bcc cells with 2, 3 and 4 atoms: 2, 6 and 19; two pure ones come first.
    [("fcc", 2, 4), ("fcc", 4, 29), ("bcc", 4, 29)],
)
def test_as_many_structures_as_are_known(orderings, lattice, atoms, count):
    text = FCC.replace("fcc", lattice).replace("max_atoms: 3", f"max_atoms: {atoms}")
    records = list(orderings(text).records())
    assert len(records) == count
    assert len({record.material_id for record in records}) == count


def test_end_members_stay_whatever_the_range(orderings):
    text = FCC + "concentrations: {Au: {min: 0.5, max: 0.6}}\n"
    formulas = sorted(record.content.reduced_formula for record in orderings(text).records())
    assert formulas == ["Au", "Cu", "CuAu", "CuAu"]


def test_features_are_concentrations_and_means_of_clusters(orderings):
    from screening.alloys.cluster_features import N_CONCENTRATIONS, widths
    from screening.candidates.ordering import read_ordering
    from screening.candidates.ordering_kind import describe_ordering

    for record in orderings().records():
        candidate = read_ordering(record.content, Origin(source="s", material_id="m"))
        found = np.array(describe_ordering(candidate))
        share = record.content.composition.get_atomic_fraction("Cu")
        assert found[:N_CONCENTRATIONS].tolist() == pytest.approx([share, 0, 0])
        lattice = AlloyLattice.model_validate(candidate.alloy_lattice)
        vector = found[N_CONCENTRATIONS:] / widths(lattice)
        assert vector[0] == pytest.approx(1)
        assert abs(vector[1]) == pytest.approx(abs(2 * share - 1), abs=1e-12)
        assert np.abs(vector).max() < 1 + 1e-9


def test_a_low_symmetry_lattice_with_sites_that_are_not_shared(orderings, tmp_path):
    crystal = Structure(
        Lattice.from_parameters(4.1, 5.3, 6.2, 81, 94, 103),
        ["Na", "Cl", "Na"],
        [[0, 0, 0], [0.5, 0.45, 0.52], [0.48, 0.1, 0.6]],
    )
    crystal.to(str(tmp_path / "triclinic.cif"))
    text = "lattice: triclinic.cif\nspecies: {Na: [Na, K]}\nmax_atoms: 6\n"
    records = list(orderings(text).records())
    assert {record.content.reduced_formula for record in records} >= {"Na2Cl", "K2Cl", "KNaCl"}
    from screening.candidates.ordering_kind import ORDERING

    read = [
        ORDERING.with_features(ORDERING.read(r.content, Origin(source="s", material_id="m")))
        for r in records
    ]
    assert len({candidate.candidate_id for candidate in read}) == len(records)
    assert {candidate.system for candidate in read} == {"K-Na"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FCC.replace("lattice_constant_a: 3.9\n", ""), "needs lattice_constant_a"),
        (FCC.replace("[Cu, Au]", "[Cu]"), "several species"),
        (FCC.replace("fcc", "fcb"), "neither one of fcc"),
        (FCC + "concentrations: {Ag: {max: 0.5}}\n", "Ag is not among the species"),
        (FCC + "c_over_a: 1.6\n", "of hcp only"),
        (FCC + "concentrations: {Au: {min: 0.6, max: 0.5}}\n", "min 0.6 is above max 0.5"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(orderings, text, said):
    with pytest.raises(ScreenError, match=said):
        orderings(text)


def test_too_many_structures_are_refused(orderings):
    with pytest.raises(ScreenError, match="more than max_structures = 4"):
        list(orderings(FCC + "max_structures: 4\n").records())


def test_a_species_has_either_sites_of_its_own_or_shared_ones():
    with pytest.raises(ValidationError, match="sites of its own"):
        AlloyLattice(
            name="x",
            cell_a=[[3, 0, 0], [0, 3, 0], [0, 0, 3]],
            positions=[[0, 0, 0], [0.5, 0.5, 0.5]],
            species=[["Cu", "Au"], ["Au"]],
        )


def test_a_candidate_is_stored_with_its_lattice(orderings):
    from screening.candidates.kinds import from_document, to_document
    from screening.candidates.ordering_kind import ORDERING

    record = next(iter(orderings().records()))
    candidate = ORDERING.read(record.content, Origin(source="s", material_id="m"))
    stored = json.loads(json.dumps(to_document(candidate)))
    assert from_document(stored).content().properties["alloy_lattice"]["name"] == "fcc"
