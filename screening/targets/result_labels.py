"""Labels and units of the quantities in results and records of sources."""

from __future__ import annotations

from screening.messages.quantities import UNITS, Quantity
from screening.targets.objectives import known_objectives

RESULT_QUANTITIES: tuple[Quantity, ...] = (
    # κ
    Quantity("kappa_300k_error_w_per_m_k", "error bar of κ(300 K)", "W/m/K"),
    Quantity("kappa_300k_real_modes_w_per_m_k", "κ(300 K) without imaginary modes", "W/m/K"),
    Quantity("kappa_300k_real_modes_error_w_per_m_k", "error bar of that", "W/m/K"),
    Quantity("kappa_300k_effective_error_w_per_m_k", "error bar of effective κ", "W/m/K"),
    Quantity("stabilised_at_300k", "stabilised at 300 K", ""),
    Quantity("min_effective_frequency_300k_thz", "lowest effective frequency, 300 K", "THz"),
    Quantity("kappa_300k_mesh_error_w_per_m_k", "error of κ from the q-mesh", "W/m/K"),
    Quantity("kappa_300k_fit_error_w_per_m_k", "error of κ from the fit", "W/m/K"),
    Quantity("kappa_300k_larger_supercell_w_per_m_k", "κ(300 K), larger supercells", "W/m/K"),
    Quantity("kappa_300k_direct_w_per_m_k", "κ(300 K), direct solution", "W/m/K"),
    Quantity("kappa_300k_coherence_w_per_m_k", "coherence term of κ(300 K), beside it", "W/m/K"),
    Quantity("gruneisen_rms", "Grüneisen parameter, root mean square", ""),
    Quantity("cubic_anharmonicity_300k", "third-order part of thermal forces", ""),
    Quantity("beyond_three_phonons", "beyond three phonons", ""),
    Quantity("min_frequency_thz", "lowest frequency", "THz"),
    Quantity("max_frequency_thz", "highest frequency", "THz"),
    Quantity("isotope_scattering", "isotopes scatter", ""),
    Quantity("nac", "non-analytical correction", ""),
    Quantity("nac_source", "Born charges from", ""),
    Quantity("nac_reason", "no correction, because", ""),
    Quantity("solver", "solver", ""),
    Quantity("third_order_route", "third-order route", ""),
    Quantity("third_order_supercells", "third-order supercells", ""),
    Quantity("third_order_basis_size", "unknowns of the third-order fit", ""),
    Quantity("third_order_cutoff_a", "third-order cut-off", "Å"),
    Quantity("displacement_distance_a", "third-order displacement", "Å"),
    # insertion electrodes
    Quantity("charged_formula", "charged formula", ""),
    Quantity("host_formula", "formula of the host", ""),
    Quantity("working_ion", "working ion", ""),
    Quantity("delta_volume_error_fraction", "error bar of ΔV/V", ""),
    Quantity("lost_orderings", "orderings lost in relaxation", ""),
    Quantity("signed_delta_volume_fraction", "volume change on charging", ""),
    Quantity("strain_a_fraction", "strain of a on charging", ""),
    Quantity("strain_b_fraction", "strain of b on charging", ""),
    Quantity("strain_c_fraction", "strain of c on charging", ""),
    Quantity("max_principal_strain_fraction", "largest principal strain", ""),
    Quantity("volumetric_capacity_mah_per_cm3", "capacity by volume", "mAh/cm³"),
    Quantity("specific_energy_wh_per_kg", "specific energy", "Wh/kg"),
    Quantity("topotactic", "framework survives", ""),
    Quantity("topotactic_reason", "framework does not survive, because", ""),
    Quantity("host_rms_displacement_fraction", "displacement of the host's atoms, relative", ""),
    Quantity("weakly_bonded_host", "host is less than a framework", ""),
    Quantity("energy_above_hull_ev_per_atom", "energy above the hull", "eV/atom"),
    Quantity("metal_energy_ev_per_atom", "energy of the working ion's metal", "eV/atom"),
    # energies
    Quantity("energy_ev_per_atom", "energy", "eV/atom"),
    Quantity("formation_energy_ev_per_atom", "formation energy", "eV/atom"),
    Quantity("missing_competitors_count", "missing competitors, how many", ""),
    # elasticity
    Quantity("poisson_ratio", "Poisson's ratio", ""),
    Quantity("pugh_ratio", "Pugh's ratio, bulk over shear modulus", ""),
    Quantity("universal_anisotropy", "universal anisotropy index", ""),
    Quantity("longitudinal_velocity_m_per_s", "longitudinal sound velocity", "m/s"),
    Quantity("transverse_velocity_m_per_s", "transverse sound velocity", "m/s"),
    Quantity("mean_velocity_m_per_s", "mean sound velocity", "m/s"),
    Quantity("acoustic_debye_temperature_k", "Debye temperature, acoustic modes", "K"),
    Quantity("gruneisen_parameter", "Grüneisen parameter, from Poisson's ratio", ""),
    Quantity("min_eigenvalue_gpa", "lowest eigenvalue of the elastic tensor", "GPa"),
    Quantity("asymmetry_gpa", "asymmetry of the elastic tensor", "GPa"),
    Quantity("strain_fraction", "size of the strains", ""),
    Quantity("strained_cells", "strained cells", ""),
    Quantity("primitive_atoms", "atoms in the primitive cell", ""),
    # chains of polymers
    Quantity("smiles", "repeat unit", ""),
    Quantity("molar_mass_g_per_mol", "molar mass of a repeat unit", "g/mol"),
    Quantity("speed_of_sound_error_m_per_s", "error bar of the speed of sound", "m/s"),
    Quantity("free_longitudinal_modulus_gpa", "modulus, free chain", "GPa"),
    Quantity("rise_a", "length of a unit along the chain", "Å"),
    Quantity("area_a2", "cross-section of a chain", "Å²"),
    # amorphous polymers
    Quantity("amorphous_kappa_error_w_per_m_k", "error bar of the amorphous κ", "W/m/K"),
    Quantity("temperature_k", "temperature", "K"),
    Quantity("units_per_chain", "repeat units in a chain", ""),
    Quantity("atoms", "atoms in the cell", ""),
    Quantity("equilibrated", "in equilibrium", ""),
    # first-principles energies
    Quantity("energy_cutoff_ev", "cut-off of the energy", "eV"),
    Quantity("spin_polarised", "with spin", ""),
    Quantity("hubbard_u_ev", "Hubbard's U", "eV"),
    # fitted potentials
    Quantity("label_cutoff_ev", "cut-off of the labels", "eV"),
    Quantity("failed_labels", "labels that failed", ""),
    Quantity("label_engine", "engine of the labels", ""),
    Quantity("generation", "potentials before", ""),
    Quantity("n_new_labels", "labels computed for it", ""),
    Quantity("n_features", "coefficients", ""),
    Quantity("force_error_of_error_ev_per_a", "standard error of the force error", "eV/Å"),
    Quantity("stress_error_gpa", "stress error", "GPa"),
    Quantity("finished", "finished, because", ""),
    Quantity("min_volume_a3_per_atom", "smallest volume of an atom in training", "Å³"),
    Quantity("max_volume_a3_per_atom", "largest volume of an atom in training", "Å³"),
    Quantity("min_distance_a", "shortest distance in training", "Å"),
    Quantity("content_hash", "content", ""),
    # defects
    Quantity("vacancy_formation_energy_error_ev", "error bar of the vacancy energy", "eV"),
    Quantity("exchange_pair_energy_error_ev", "error bar of the antisite pair energy", "eV"),
    Quantity("image_distance_a", "distance of a defect from its image", "Å"),
    Quantity("no_error_reason", "no error bar, because", ""),
    Quantity("lost_defects", "defects lost in relaxation", ""),
    # alloys
    Quantity("spectral_width_error_thz", "error bar of the spectral width", "THz"),
    Quantity("broadening_thz", "broadening in the picture", "THz"),
    Quantity("parent_atoms", "atoms in the cell of the lattice behind", ""),
    Quantity("parent_space_group_number", "space group of the lattice behind", ""),
    Quantity("weight_error", "error of the sum of weights", ""),
    Quantity("fraction", "fraction of the second", ""),
    Quantity("alloy_kappa_300k_error_w_per_m_k", "error bar of the alloy's κ(300 K)", "W/m/K"),
    Quantity("dense_mesh_error_w_per_m_k", "error from the mesh of long waves", "W/m/K"),
    Quantity("rate_mesh_error_w_per_m_k", "error from the mesh of rates", "W/m/K"),
    Quantity("fit_error_w_per_m_k", "error from the fits", "W/m/K"),
    Quantity("left_out", "not in the value or its error bar", ""),
    Quantity("mass_variance", "variance of the masses, relative", ""),
    Quantity("relaxed_lattice_mismatch_fraction", "lattice mismatch, relaxed", ""),
    Quantity("lattice_displacement", "displacement from the sites, relative", ""),
    Quantity("space_group_number", "space group", ""),
    # all
    Quantity("max_force_ev_per_a", "largest force left", "eV/Å"),
    Quantity("max_stress_gpa", "largest stress left", "GPa"),
    Quantity("volume_a3_per_atom", "volume of an atom", "Å³"),
    Quantity("cost", "cost", ""),
    Quantity("cost_unit", "unit of the cost", ""),
    Quantity("wall_s", "wall time", "s"),
)
"""In the order of tables; the value itself and what a ranking shows are the objectives' own."""


SOURCE_QUANTITIES: tuple[Quantity, ...] = (
    Quantity("kappa_300k_with_nac_w_per_m_k", "κ(300 K), with the correction for charges", "W/m/K"),
    Quantity("kappa_300k_without_nac_w_per_m_k", "κ(300 K), without it", "W/m/K"),
    Quantity("band_gap_ev", "band gap", "eV"),
    Quantity("theoretical", "theoretical", ""),
    Quantity("year", "year", ""),
)
"""What sources state, beyond fields that results have too."""


def quantity(field: str) -> Quantity:
    """Return the label and unit of a field, read off its name where no table has it."""
    for objective in known_objectives():
        own = Quantity(objective.value_field, objective.label, objective.unit)
        named = (own, *objective.shown_fields)
        if found := next((shown for shown in named if shown.field == field), None):
            return found
    for known in (*RESULT_QUANTITIES, *SOURCE_QUANTITIES):
        if known.field == field:
            return known
    for ending, unit in UNITS.items():
        if field.endswith(ending) and field != ending:
            return Quantity(field, field.removesuffix(ending).replace("_", " "), unit)
    return Quantity(field, field.replace("_", " "), "")
