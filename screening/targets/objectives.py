"""Objectives: which number of which flow a campaign optimises, and on which scale.

A new target is an `Objective`, its Maker, and a YAML that names the objective.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from screening.machine.plugins import PlugIns, imported
from screening.messages.quantities import Quantity, heading
from screening.targets.scale import Direction, Scale


@dataclass(frozen=True, kw_only=True)
class Objective(Scale):
    """What is optimised, on its scale.

    Parameters
    ----------
    name
        Name in the campaign's YAML.
    help
        What it is, in a sentence.
    maker
        Import path of a `workflows.target.TargetMaker`; the output document of its flow has
        `value_field` and `error_field`.
    recipe
        Import path of the pydantic model of that Maker's settings.
    document
        Import path of the pydantic model of its output.
    value_field, error_field
        Fields of the result document: the value to rank by and its error bar; None where it has
        none.
    label, unit
        For tables.
    shown_fields
        Further fields that a ranking shows.
    candidates
        Kind of the candidates that the Maker takes, in `screening.candidates.kinds.KINDS`.
    curves
        What is drawn of a result: import path, ``module:function``, by the name that
        ``matscreen plot --kind`` has.  The function gets the result's document and returns a list
        of `screening.views.forms.CurveView`, empty where the result has no such curve.
    large_fields
        Fields of the document that are stored apart and that curves need.
    derive
        Import path of a function that derives fields of a result, `value_field` among them, from
        all results that are known, as a distance to a hull; None where a result has its value by
        itself.  ``derive(results, pool)`` gets the documents of results and the rows of the pool
        (`screening.campaigns.snapshot.PoolRow`), both by candidate id, and returns the derived
        fields by candidate id.
    derive_from
        Fields of results that it needs.
    derived_fields
        Fields of the document that it derives, which stored results do not have.
    learned_field, learned_error_field
        Derived field that models learn, and its standard error (0 for exact), where it is not the
        value itself: energies of mixing, which a model can be linear in, where the value is a
        distance to their hull.  ``derive`` then gets predictions of it too, as results whose
        ``outcome`` is ``predicted``, and returns what their values would be; nothing else may
        depend on them.
    """

    name: str
    help: str
    maker: str
    recipe: str
    document: str
    value_field: str
    error_field: str | None
    label: str
    unit: str
    shown_fields: tuple[Quantity, ...] = ()
    candidates: str = "crystal"
    curves: Mapping[str, str] = field(default_factory=dict)
    large_fields: tuple[str, ...] = ()
    derive: str | None = None
    derive_from: tuple[str, ...] = ()
    derived_fields: tuple[str, ...] = ()
    learned_field: str | None = None
    learned_error_field: str | None = None

    @property
    def heading(self) -> str:
        """Label and unit of the value, for a column."""
        return heading(self.label, self.unit)

    def error_of(self, result: Mapping[str, Any]) -> float | None:
        """Return the error bar that a result states."""
        return None if self.error_field is None else result.get(self.error_field)

    def learned_from(self, result: Mapping[str, Any]) -> tuple[float, float]:
        """Return what models learn from a usable result, and its standard error, on their scale."""
        if self.learned_field is None:
            value = float(result[self.value_field])
            return self.to_model(value), self.std_to_model(value, self.error_of(result))
        error = result.get(self.learned_error_field or "")
        return float(result[self.learned_field]), math.nan if error is None else float(error)

    def predicted_values(
        self,
        learned: Mapping[str, float],
        results: Mapping[str, Mapping[str, Any]],
        pool: Mapping[str, Any],
    ) -> dict[str, float]:
        """Return the values, on the models' scale, that predictions of what is learned come to.

        Parameters
        ----------
        learned
            By candidate id; where nothing but the value is learned, it is returned.
        """
        if self.learned_field is None:
            return dict(learned)
        field = self.learned_field
        guesses = {key: {"outcome": "predicted", field: mean} for key, mean in learned.items()}
        derived = self.derived({**results, **guesses}, pool)
        return {
            key: self.to_model(float(value))
            for key in learned
            if (value := derived.get(key, {}).get(self.value_field)) is not None
            and self.usable(value)
        }

    def derived(
        self, results: Mapping[str, Mapping[str, Any]], pool: Mapping[str, Any]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return the fields that `derive` derives from all results, by candidate id."""
        if self.derive is None:
            return {}
        fields: Mapping[str, Mapping[str, Any]] = imported(self.derive)(results, pool)
        return fields

    def is_usable(self, result: Mapping[str, Any]) -> bool:
        """Return whether a result has a value that fits on the surrogate's scale."""
        return result.get("outcome") == "computed" and self.usable(result.get(self.value_field))


LATTICE_THERMAL_CONDUCTIVITY = Objective(
    name="lattice-thermal-conductivity",
    help="Lattice thermal conductivity at 300 K, from phonons and their scattering.",
    maker="workflows.conductivity.ThermalConductivityMaker",
    recipe="workflows.recipes.ThermalConductivityRecipe",
    document="workflows.documents.ThermalConductivityDocument",
    value_field="kappa_300k_w_per_m_k",
    error_field="kappa_300k_error_w_per_m_k",
    label="κ(300 K)",
    unit="W/m/K",
    logarithmic=True,
    shown_fields=(Quantity("kappa_300k_effective_w_per_m_k", "effective κ(300 K)", "W/m/K"),),
    curves={
        "bands": "screening.views.conductivity_curves:phonons",
        "dos": "screening.views.conductivity_curves:density_of_states",
        "kappa": "screening.views.conductivity_curves:kappa",
        "accumulation": "screening.views.conductivity_curves:accumulation",
        "meshes": "screening.views.conductivity_curves:meshes",
    },
    large_fields=("spectrum", "transport"),
)
ELECTRODE_VOLUME_CHANGE = Objective(
    name="electrode-volume-change",
    help="Relative change of an electrode's volume when its working ion leaves.",
    maker="workflows.insertion.InsertionMaker",
    recipe="workflows.recipes.InsertionRecipe",
    document="workflows.documents.InsertionDocument",
    value_field="delta_volume_fraction",
    error_field="delta_volume_error_fraction",
    label="ΔV/V",
    unit="",
    logarithmic=False,
    shown_fields=(
        Quantity("average_voltage_v", "voltage", "V"),
        Quantity("gravimetric_capacity_mah_per_g", "capacity", "mAh/g"),
        Quantity("host_dimensionality", "host dimensions", ""),
    ),
    curves={"volume-change": "screening.views.electrode_curves:volume_and_voltage"},
)
SLACK_THERMAL_CONDUCTIVITY = Objective(
    name="slack-thermal-conductivity",
    help="Estimate of the lattice thermal conductivity by Slack's formula, from elastic constants.",
    maker="workflows.elasticity.ElasticityMaker",
    recipe="workflows.recipes.ElasticityRecipe",
    document="workflows.documents.ElasticityDocument",
    value_field="slack_kappa_300k_w_per_m_k",
    error_field=None,
    label="Slack's κ(300 K)",
    unit="W/m/K",
    logarithmic=True,
    shown_fields=(
        Quantity("debye_temperature_k", "Debye temperature", "K"),
        Quantity("bulk_modulus_gpa", "bulk modulus", "GPa"),
        Quantity("shear_modulus_gpa", "shear modulus", "GPa"),
    ),
)
VERDICT = (
    Quantity("stability_verdict", "verdict", ""),
    Quantity("decomposes_into", "decomposes into", ""),
    Quantity("missing_competitors", "missing competitors", ""),
)
"""What an energy above the hull is worth nothing without."""
ENERGY_ABOVE_HULL = Objective(
    name="energy-above-hull",
    help="Energy above the convex hull of the engine's own energies; negative below all others.",
    maker="workflows.energy.EnergyMaker",
    recipe="workflows.recipes.EnergyRecipe",
    document="workflows.documents.EnergyDocument",
    value_field="hull_distance_ev_per_atom",
    error_field=None,
    label="energy above hull",
    unit="eV/atom",
    logarithmic=False,
    shown_fields=(*VERDICT, Quantity("polymorphs", "polymorphs", "")),
    curves={"hull": "screening.views.hull_diagram:hull"},
    derive="screening.targets.stability.stability",
    derive_from=("energy_ev_per_atom", "energy_cutoff_ev", "formula"),
    derived_fields=(
        *("hull_distance_ev_per_atom", "formation_energy_ev_per_atom", "stability_verdict"),
        *("decomposes_into", "missing_competitors", "missing_competitors_count", "polymorphs"),
        "hull_diagram",
    ),
)
AMORPHOUS_THERMAL_CONDUCTIVITY = Objective(
    name="amorphous-thermal-conductivity",
    help="κ of an amorphous polymer at 300 K, by non-equilibrium molecular dynamics (RadonPy).",
    maker="workflows.amorphous.conductivity.AmorphousConductivityMaker",
    recipe="workflows.amorphous.recipe.AmorphousConductivityRecipe",
    document="workflows.amorphous.documents.AmorphousConductivityDocument",
    value_field="amorphous_kappa_w_per_m_k",
    error_field="amorphous_kappa_error_w_per_m_k",
    label="amorphous κ",
    unit="W/m/K",
    logarithmic=True,
    shown_fields=(Quantity("density_g_per_cm3", "density", "g/cm³"),),
    candidates="polymer",
)
CHAIN_SPEED_OF_SOUND = Objective(
    name="chain-speed-of-sound",
    help="Speed of sound along a polymer's straight chain, from its compliance.",
    maker="workflows.chain.ChainStiffnessMaker",
    recipe="workflows.recipes.ChainStiffnessRecipe",
    document="workflows.chain_documents.ChainStiffnessDocument",
    value_field="speed_of_sound_m_per_s",
    error_field="speed_of_sound_error_m_per_s",
    label="speed of sound",
    unit="m/s",
    logarithmic=True,
    shown_fields=(
        Quantity("longitudinal_modulus_gpa", "modulus", "GPa"),
        Quantity("free_speed_of_sound_m_per_s", "speed of sound, free chain", "m/s"),
        Quantity("persistence_length_nm", "persistence length", "nm"),
    ),
    candidates="polymer",
    curves={"torsions": "screening.views.chain_curves:torsions"},
)
FITTED_POTENTIAL = Objective(
    name="fitted-potential",
    help="Force error of a potential that is fitted to cells which the engine labels.",
    maker="workflows.potentials.fitting.FittedPotentialMaker",
    recipe="workflows.potentials.recipe.FitRecipe",
    document="workflows.potentials.documents.FittedPotentialDocument",
    value_field="force_error_ev_per_a",
    error_field="force_error_of_error_ev_per_a",
    label="force error",
    unit="eV/Å",
    logarithmic=True,
    shown_fields=(
        Quantity("n_labels", "labels", ""),
        Quantity("energy_error_ev_per_atom", "energy error", "eV/atom"),
        Quantity("calibration_ratio", "found over expected error", ""),
    ),
    candidates="family",
    curves={
        "learning": "screening.views.potential_curves:learning",
        "indicator": "screening.views.potential_curves:indicator",
    },
)
VACANCY_FORMATION_ENERGY = Objective(
    name="vacancy-formation-energy",
    help="Lowest formation energy of a neutral vacancy.",
    maker="workflows.point_defects.vacancies.VacancyMaker",
    recipe="workflows.point_defects.recipe.VacancyRecipe",
    document="workflows.point_defects.documents.VacancyDocument",
    value_field="vacancy_formation_energy_ev",
    error_field="vacancy_formation_energy_error_ev",
    label="vacancy energy",
    unit="eV",
    logarithmic=False,
    shown_fields=(Quantity("vacancy_element", "vacant element", ""),),
)
ANTISITE_PAIR_ENERGY = Objective(
    name="antisite-pair-energy",
    help="Lowest energy of two atoms of different elements that have exchanged their places.",
    maker="workflows.point_defects.exchange_pairs.ExchangePairMaker",
    recipe="workflows.point_defects.recipe.ExchangePairRecipe",
    document="workflows.point_defects.documents.ExchangePairDocument",
    value_field="exchange_pair_energy_ev",
    error_field="exchange_pair_energy_error_ev",
    label="antisite pair energy",
    unit="eV",
    logarithmic=False,
    shown_fields=(
        Quantity("exchanged_elements", "exchanged", ""),
        Quantity("exchange_distance_a", "distance", "Å"),
    ),
)
SPECTRAL_WIDTH = Objective(
    name="spectral-width",
    help="How far disorder smears the phonons of an alloy, from unfolded supercells.",
    maker="workflows.spectral_function.SpectralFunctionMaker",
    recipe="workflows.recipes.SpectralFunctionRecipe",
    document="workflows.spectral_documents.SpectralFunctionDocument",
    value_field="spectral_width_thz",
    error_field="spectral_width_error_thz",
    label="spectral width",
    unit="THz",
    logarithmic=False,
    shown_fields=(Quantity("supercells", "supercells", ""),),
    curves={"spectral-function": "screening.views.spectral_curves:spectral_function"},
    large_fields=("spectral_function",),
)
MIXING_ENERGY_ABOVE_HULL = Objective(
    name="mixing-energy-above-hull",
    help="Energy of an ordered structure above the convex hull of all that are computed.",
    maker="workflows.ordering.OrderingMaker",
    recipe="workflows.recipes.OrderingRecipe",
    document="workflows.documents.OrderingDocument",
    value_field="energy_above_hull_ev_per_atom",
    error_field=None,
    label="energy above hull",
    unit="eV/atom",
    shown_fields=(
        Quantity("mixing_energy_ev_per_atom", "mixing energy", "eV/atom"),
        Quantity("lattice_strain", "strain of the lattice", ""),
    ),
    candidates="ordering",
    derive="screening.targets.mixing:hull_fields",
    derive_from=("energy_ev_per_atom", "energy_cutoff_ev"),
    derived_fields=(
        "mixing_energy_ev_per_atom",
        "mixing_energy_error_ev_per_atom",
        "energy_above_hull_ev_per_atom",
    ),
    learned_field="mixing_energy_ev_per_atom",
    learned_error_field="mixing_energy_error_ev_per_atom",
)
ALLOY_THERMAL_CONDUCTIVITY = Objective(
    name="alloy-thermal-conductivity",
    help="κ of a random alloy of two crystals at 300 K: a virtual crystal with disordered masses.",
    maker="workflows.alloy.AlloyConductivityMaker",
    recipe="workflows.recipes.AlloyConductivityRecipe",
    document="workflows.alloy_documents.AlloyConductivityDocument",
    value_field="alloy_kappa_300k_w_per_m_k",
    error_field="alloy_kappa_300k_error_w_per_m_k",
    label="alloy κ(300 K)",
    unit="W/m/K",
    logarithmic=True,
    shown_fields=(
        Quantity("kappa_below_end_members_fraction", "below the end members by", ""),
        Quantity("force_constant_difference_fraction", "force constants differ by", ""),
    ),
    candidates="alloy",
)
OBJECTIVES: PlugIns[Objective] = PlugIns(
    "objective",
    "matscreen.objectives",
    {
        "lattice-thermal-conductivity": f"{__name__}:LATTICE_THERMAL_CONDUCTIVITY",
        "electrode-volume-change": f"{__name__}:ELECTRODE_VOLUME_CHANGE",
        "slack-thermal-conductivity": f"{__name__}:SLACK_THERMAL_CONDUCTIVITY",
        "energy-above-hull": f"{__name__}:ENERGY_ABOVE_HULL",
        "amorphous-thermal-conductivity": f"{__name__}:AMORPHOUS_THERMAL_CONDUCTIVITY",
        "chain-speed-of-sound": f"{__name__}:CHAIN_SPEED_OF_SOUND",
        "fitted-potential": f"{__name__}:FITTED_POTENTIAL",
        "vacancy-formation-energy": f"{__name__}:VACANCY_FORMATION_ENERGY",
        "antisite-pair-energy": f"{__name__}:ANTISITE_PAIR_ENERGY",
        "spectral-width": f"{__name__}:SPECTRAL_WIDTH",
        "mixing-energy-above-hull": f"{__name__}:MIXING_ENERGY_ABOVE_HULL",
        "alloy-thermal-conductivity": f"{__name__}:ALLOY_THERMAL_CONDUCTIVITY",
    },
)


def known_objectives() -> list[Objective]:
    """Return the objectives that have a name."""
    return [OBJECTIVES.load(name) for name in OBJECTIVES.names()]


def objective(name: str, direction: Direction) -> Objective:
    """Return the objective of a name or import path, to be minimised or maximised.

    Its name is then the one that it was asked by: results are stored under it.
    """
    return replace(OBJECTIVES.load(name), name=name, direction=direction)


def candidate_figures() -> list[str]:
    """Return the names of all curves that results of some objective have."""
    return list(dict.fromkeys(name for known in known_objectives() for name in known.curves))
