"""Forms of what is told of a campaign: plain numbers and words, with units in the names.

The objective's own numbers are in the objective's unit, which `ObjectiveView` states; everything
else has its unit in its name.  Lists that belong together have the same length.
"""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict

from screening.campaigns.snapshot import Status
from screening.ranking.entries import Outcome
from screening.targets.scale import Direction


class View(BaseModel):
    """A form, filled in once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class QuantityView(View):
    """A field of a result, as tables head it."""

    field: str
    label: str
    unit: str


class SecondObjectiveView(QuantityView):
    """A second number to make good."""

    direction: Direction


class ObjectiveView(View):
    """What is optimised, and the unit of every value that is told of it."""

    name: str
    value: QuantityView
    error_field: str | None
    """Name of the value's error bar; None where it has none."""
    direction: Direction
    logarithmic: bool
    """Whether the model sees the decimal logarithm: then its errors are factors."""
    beside: list[QuantityView]
    """Further fields of a result that a ranking shows."""
    also: SecondObjectiveView | None
    """The second objective, where there are two; one of `beside`."""


# ------------------------------------------------------------------------------------ a campaign


class CampaignLine(View):
    """One campaign in a list of them."""

    name: str
    target: str
    status: Status
    created_at: datetime.datetime


class OutcomeGroup(View):
    """Candidates that ended alike, and why."""

    outcome: Outcome
    reason: str
    """Reasons that differ in numbers alone are one, with their ranges, and details in numbers after
    a colon are left out; empty for computed."""
    count: int
    candidate_ids: list[str]
    """The first few."""


class RefusalGroup(View):
    """Entries of the sources that never became candidates, of the first 1,000."""

    reason: str
    count: int
    example: str
    """Where one of them stands in its source."""


class CostShare(View):
    """What one engine, or one step of the flow, has cost in this campaign."""

    name: str
    candidates: int
    force_calls: int
    wall_h: float
    """Wall time of all its jobs together, in hours."""


class Overview(View):
    """A campaign at a glance."""

    name: str
    description: str
    target: str
    status: Status
    finished: bool
    created_at: datetime.datetime
    revision: str
    """Another one whenever a pick has changed."""
    objective: ObjectiveView
    engines: list[str]
    """The one that explores first, then those that confirm."""
    sampler: str
    seed: int
    prior: str | None
    """Earlier campaign that the model starts from."""
    pool: int
    budget: int
    batch_size: int
    counts: dict[str, int]
    """As `screen status` names them: picked, computed, infeasible, unstable, failed, …"""
    candidates_per_hour: float | None
    expected_end: datetime.datetime | None
    best_candidate_id: str | None
    best_value: float | None
    outcomes: list[OutcomeGroup]
    refusals: list[RefusalGroup]
    remarks: list[str]
    """What the sources left out before it was an entry: files, pages."""
    cost_by_engine: list[CostShare]
    cost_by_step: list[CostShare]


# --------------------------------------------------------------------------------------- ranking


class RankingRow(View):
    """A candidate and its place; see `screening.ranking.entries.Entry`."""

    rank: int
    candidate_id: str
    material_id: str
    formula: str
    space_group_number: int
    outcome: Outcome
    value: float | None
    value_error: float | None
    predicted_value: float | None
    predicted_low: float | None
    """The prediction less one standard deviation."""
    predicted_high: float | None
    """The prediction and one standard deviation more."""
    engine: str | None
    reason: str
    beside: dict[str, float | str | bool | None]
    on_front: bool | None
    """Whether no other result beats it in both objectives; None where there is one."""


class RankingPage(View):
    """Some rows of a ranking, and how many there are."""

    total: int
    offset: int
    rows: list[RankingRow]


# -------------------------------------------------------------------------------------- pictures


class ProgressView(View):
    """The best value against the number of candidates computed."""

    number: list[int]
    """1 to the number of candidates that ended, in the order in which they were chosen."""
    round: list[int]
    candidate_id: list[str]
    formula: list[str]
    outcome: list[Outcome]
    value: list[float | None]
    best: list[float | None]
    """The best of the values so far."""
    random_best: list[float | None]
    """What random choice without replacement is expected to have found by then: the mean best
    value; over the values that are known and the predictions of those that are not.  Candidates
    known to have no value it draws in vain.  None where there are fewer than two values."""
    random_known: int
    """How many of the values behind `random_best` are computed."""
    random_predicted: int
    """How many are predictions."""


class CalibrationView(View):
    """How good the model's error bars are, each result left out once."""

    count: int
    typical_error: float
    """A factor where the objective is logarithmic, else in its unit."""
    coverage_1std: float
    """Fraction within one standard deviation; 0.68 is right."""
    rank_correlation: float


class ParityView(View):
    """What was predicted when a candidate was chosen, against what was computed."""

    candidate_id: list[str]
    formula: list[str]
    number: list[int]
    computed: list[float]
    computed_error: list[float | None]
    predicted: list[float]
    predicted_low: list[float]
    """The prediction less one standard deviation."""
    predicted_high: list[float]
    coverage_1std: float | None
    """Fraction of the predictions within one standard deviation of what was computed, both error
    bars together; 0.68 is right.  None without a prediction."""
    calibration: CalibrationView | None


class TradeOffView(View):
    """The computed candidates by the two objectives, in the ranking's order."""

    candidate_id: list[str]
    formula: list[str]
    value: list[float]
    value_error: list[float | None]
    second: list[float]
    """In the unit that `ObjectiveView.also` states."""
    on_front: list[bool]


class PoolMapView(View):
    """The pool in the two directions in which its features spread most."""

    explained_fraction: tuple[float, float]
    """Of the variance of the standardised features, along x and y."""
    candidate_id: list[str]
    formula: list[str]
    x: list[float]
    y: list[float]
    outcome: list[Outcome]
    number: list[int | None]
    """Order in which it was chosen; None for the others."""
    round: list[int | None]
    value: list[float | None]
    """Computed, else predicted."""
    shown: int
    pool: int
    """Of so many candidates; of large pools all chosen ones and a random sample are shown."""


# ------------------------------------------------------------------------------------ a candidate


class Site(View):
    """An atom."""

    element: str
    position_a: tuple[float, float, float]
    """Cartesian."""


class CrystalView(View):
    """Atoms in a cell."""

    formula: str
    space_group: str
    lattice_a: tuple[
        tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]
    ]
    """Rows are the cell's vectors."""
    sites: list[Site]


class Fact(View):
    """A number or word, with its name and unit."""

    label: str
    value: float | int | str | bool | None
    unit: str


class Origin(View):
    """Where a crystal was found."""

    source: str
    material_id: str
    note: str
    """What was done to its structure beyond choosing a cell; empty for nothing."""


class BandsView(View):
    """Phonon frequencies along lines of high symmetry; imaginary ones are negative."""

    distance_per_a: list[list[float]]
    """One list a segment."""
    frequency_thz: list[list[list[float]]]
    """Same segments, shape (points, branches)."""
    labels: list[tuple[str, str]]
    """Names of both ends of each segment."""


class DosView(View):
    """Phonon density of states of the primitive cell, normalised to three times its atoms."""

    frequency_thz: list[float]
    dos_per_thz: list[float]


class ConductivityView(View):
    """κ against temperature on the densest mesh: the mean, and along the axes."""

    mesh: tuple[int, int, int]
    temperature_k: list[float]
    kappa_w_per_m_k: list[float]
    kappa_xx_w_per_m_k: list[float]
    kappa_yy_w_per_m_k: list[float]
    kappa_zz_w_per_m_k: list[float]


class AccumulationView(View):
    """κ at 300 K summed up to a frequency, and up to a mean free path."""

    frequency_thz: list[float]
    kappa_of_frequency_w_per_m_k: list[float]
    mean_free_path_nm: list[float]
    kappa_of_mean_free_path_w_per_m_k: list[float]


class MeshView(View):
    """κ at 300 K against the density of q-points, and where it tends to."""

    mesh: list[tuple[int, int, int]]
    kappa_300k_w_per_m_k: list[float]
    limit_w_per_m_k: float
    limit_error_w_per_m_k: float


class ElectrodePathView(View):
    """Volume and voltage of an insertion electrode along its path, charged first."""

    working_ion: str
    formula: list[str]
    working_ions: list[float]
    """Per formula unit of the host."""
    volume_a3: list[float]
    """Of a formula unit of the host."""
    step_ions_charged: list[float]
    step_ions_discharged: list[float]
    step_voltage_v: list[float]


class PickView(View):
    """Why a candidate was chosen."""

    engine: str
    number: int
    round: int
    state: str
    reason: str
    predicted_value: float | None
    predicted_low: float | None
    predicted_high: float | None
    fitted_on: int
    """Results that the model knew then."""
    place: int | None
    """Among all candidates that were free then."""
    neighbours: list[str]
    """Candidates with values that were nearest in the space of features."""
    error: str
    """Why it failed; else empty."""


class CandidateView(View):
    """All that a page tells of one candidate; what its result does not have is None."""

    row: RankingRow
    origins: list[Origin]
    crystal: CrystalView
    relaxed: bool
    """Whether the crystal is the relaxed one or as the source has it."""
    facts: list[Fact]
    """Of the result; else what the source states."""
    picks: list[PickView]
    """One for each engine."""
    provenance: dict[str, str]
    bands: BandsView | None
    dos: DosView | None
    conductivity: ConductivityView | None
    accumulation: AccumulationView | None
    meshes: MeshView | None
    electrode_path: ElectrodePathView | None
