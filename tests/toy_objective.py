"""The row of `screening.targets.objectives.OBJECTIVES` for the toy; imports nothing heavy."""

from screening.targets.objectives import OBJECTIVES, Objective

TOY = Objective(
    name="toy",
    help="A number that costs nothing.",
    maker="toy_flow.ToyMaker",
    recipe="toy_flow.ToyRecipe",
    document="workflows.documents.ThermalConductivityDocument",
    value_field="kappa_300k_w_per_m_k",
    error_field="kappa_300k_error_w_per_m_k",
    label="toy",
    unit="Å³",
    logarithmic=True,
)
PATH = "toy_objective:TOY"


def register() -> None:
    OBJECTIVES.built_in[TOY.name] = PATH
