"""The row of `screening.targets.objectives.OBJECTIVES` for the toy; imports nothing heavy."""

from screening.targets.objectives import OBJECTIVES, Objective

TOY = Objective(
    name="toy",
    maker="toy_flow.ToyMaker",
    recipe="toy_flow.ToyRecipe",
    document="workflows.documents.ThermalConductivityDocument",
    value_field="kappa_300k_w_per_m_k",
    error_field="kappa_300k_error_w_per_m_k",
    label="toy",
    unit="Å³",
    logarithmic=True,
)


def register() -> None:
    OBJECTIVES[TOY.name] = TOY
