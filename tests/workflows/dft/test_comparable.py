"""Which crystals' energies go together, and what flows do with one that does not."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from workflows.dft import vasp
from workflows.dft.engine import DftEngine
from workflows.document_parts import Provenance, StepCost
from workflows.documents import RelaxationDocument
from workflows.energy import EnergyMaker
from workflows.energy_basis import check_one_cutoff
from workflows.errors import CannotCompute
from workflows.insertion import InsertionInputs, InsertionMaker
from workflows.ordering import OrderingMaker
from workflows.potentials.fitting import Family, FittedPotentialMaker
from workflows.potentials.frames import LabelledFrame
from workflows.recipes import InsertionRecipe


def engine(**settings):
    return DftEngine("mine", "gpaw", settings)


def cube(symbols, a=4.0, places=((0, 0, 0), (0.5, 0.5, 0.5))):
    return Structure(Lattice.cubic(a), symbols, list(places)[: len(symbols)])


def pair(symbol, length_a, *others):
    """Two atoms so far apart, and others beside them."""
    places = [[0, 0, 0], [length_a, 0, 0], [3, 3, 3], [0, 3, 3]]
    symbols = [symbol, symbol, *others]
    return Structure(Lattice.cubic(6), symbols, places[: len(symbols)], coords_are_cartesian=True)


@pytest.mark.parametrize(
    ("crystal", "fits"),
    [
        (pair("O", 1.23), False),
        (pair("O", 1.30, "K"), False),
        # A peroxide, and an oxide.
        (pair("O", 1.50, "Li", "Li"), True),
        (cube(["Mg", "O"]), True),
        (cube(["O"]), False),
        # Molecules without unpaired electrons.
        (pair("N", 1.10), True),
        (pair("F", 1.41), True),
    ],
)
def test_unpaired_electrons_of_oxygen_want_spin(crystal, fits):
    reason = engine().why_incomparable(crystal)
    assert (reason is None) == fits
    assert fits or "spin: on" in reason
    assert engine(spin="on").why_incomparable(crystal) is None


def test_an_element_with_u_in_some_crystals_only_is_refused_in_the_others():
    with_u = engine(hubbard_u_ev={"Fe": 5.3})
    assert with_u.why_incomparable(cube(["Fe", "O"])) is None
    assert with_u.why_incomparable(cube(["Na", "S"])) is None
    for crystal in (cube(["Fe"]), cube(["Fe", "S"])):
        assert "Fe has Hubbard's U in compounds of F and O" in with_u.why_incomparable(crystal)
        assert engine().why_incomparable(crystal) is None


def test_a_stated_cutoff_is_that_of_what_it_suffices_for():
    """Cl wants 350 eV, F 900: and 1.3 times that for cells."""
    stated = engine(energy_cutoff_ev=500)
    assert stated.why_incomparable(cube(["Na", "Cl"])) is None
    assert "cut-off of 1170 eV" in stated.why_incomparable(cube(["Li", "F"]))


@pytest.mark.parametrize("maker", [EnergyMaker, OrderingMaker])
def test_flows_of_energies_refuse_what_cannot_be_compared(maker, emt):
    dioxygen = pair("O", 1.23)
    assert "unpaired" in maker(engine()).refusal(dioxygen)
    with pytest.raises(ValueError, match="O2: O2 and superoxides"):
        maker(engine()).make(dioxygen)
    assert maker(emt).refusal(dioxygen) is None
    assert maker(engine()).refusal(cube(["Mg", "O"])) is None


def test_voltages_refuse_what_cannot_be_compared():
    sulphide = cube(["Li", "Fe", "S"], places=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]])
    recipe = InsertionRecipe(working_ion="Li")
    # No crystal of this electrode has a U, so that they go together.
    assert InsertionMaker(engine(hubbard_u_ev={"Fe": 5.3}), recipe=recipe).refusal(sulphide) is None
    of_ion = InsertionMaker(engine(hubbard_u_ev={"Li": 1.0}), recipe=recipe)
    assert "against Li metal: Li has Hubbard's U" in of_ion.refusal(sulphide)
    charged = InsertionInputs(charged=pair("O", 1.23))
    found = InsertionMaker(engine(), recipe=recipe).refusal(pair("O", 1.50, "Li", "Li"), charged)
    assert "unpaired electrons" in found


def test_vasp_has_one_cutoff_whatever_the_elements():
    stated = vasp.VaspSettings(cutoff_ev=400)
    assert vasp.relaxation_basis(["F"], stated) == {"relaxation_cutoff_ev": pytest.approx(520)}
    assert vasp.relaxation_basis(["F"], vasp.VaspSettings()) == {}


def test_a_fit_takes_labels_of_one_cutoff():
    salts = [cube(["Na", "Cl"]), cube(["K", "Br"])]
    forces = [[0.0, 0.0, 0.0]] * 2

    def refusal(energy_ev, cutoff_ev, crystals=salts):
        frame = LabelledFrame(
            structure=salts[0],
            origin="earlier",
            forces_ev_per_a=forces,
            energy_ev=energy_ev,
            cutoff_ev=cutoff_ev,
        )
        return FittedPotentialMaker(engine()).refusal(Family(crystals, frames=[frame]))

    # Cl wants the most of the four, 350 eV: 1.3 times that for cells, and a step more for stress.
    cutoff_ev = 1.25 * 1.3 * 350
    assert refusal(-6.0, cutoff_ev) is None
    assert "of 390 eV, and new ones would get 568.75 eV" in refusal(-6.0, 390.0)
    assert "of none" in refusal(-6.0, None)
    fluoride = [*salts, cube(["Li", "F"])]
    assert "new ones would get 1462.5 eV" in refusal(-6.0, cutoff_ev, fluoride)
    # Forces alone, as of displaced supercells, tell no basis.
    assert refusal(None, None) is None


def relaxation(cutoff_ev, lost=""):
    return RelaxationDocument(
        structure=cube(["Na", "Cl"]),
        lost=lost,
        energy_ev_per_atom=-3.0,
        volume_a3_per_atom=20.0,
        initial_volume_a3_per_atom=20.0,
        max_force_ev_per_a=0.0,
        max_stress_gpa=0.0,
        steps=1,
        space_group_number=225,
        energy_cutoff_ev=cutoff_ev,
        cost=StepCost.of_force_calls("relaxation", 1, 1.0),
        provenance=Provenance(engine="mine", calculator="gpaw"),
    )


def test_energies_with_several_cutoffs_are_not_subtracted():
    check_one_cutoff([relaxation(None), relaxation(None)])
    check_one_cutoff([relaxation(1170), relaxation(1170), relaxation(None, lost="it flew apart")])
    with pytest.raises(CannotCompute, match=r"NaCl: 390 eV, NaCl: 1170 eV"):
        check_one_cutoff([relaxation(390), relaxation(1170)])
