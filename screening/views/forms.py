"""Forms of what is told of a campaign: plain numbers and words, with units in the names.

The objective's own numbers are in the objective's unit, which `ObjectiveView` states; everything
else has its unit in its name.  Lists that belong together have the same length.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from screening.campaigns.snapshot import Status
from screening.messages.quantities import heading
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

    @property
    def heading(self) -> str:
        """The label, with the unit where there is one."""
        return heading(self.label, self.unit)


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
    label: QuantityView
    """The name that people know a candidate by."""
    facts: list[QuantityView]
    """What a ranking shows of candidates themselves, beside their names."""
    elements: bool
    """Whether candidates consist of chemical elements, and their names are formulas."""
    shown_fields: list[QuantityView]
    """Further fields of a result that a ranking shows."""
    second_objective: SecondObjectiveView | None
    """The second objective, where there are two; one of `shown_fields`."""
    error_basis: str = ""
    """What total errors rest on; empty where no engine of the campaign has a table of them."""


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


class FigureView(View):
    """A picture that a campaign has, by its name, and the heading of its section."""

    name: str
    title: str


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
    cost: float
    cost_unit: str
    """What the cost counts, as force calls."""
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
    """As `matscreen status` names them: picked, computed, infeasible, unstable, failed, …"""
    candidates_per_hour: float | None
    expected_end: datetime.datetime | None
    best_candidate_id: str | None
    best_value: float | None
    best_expected_value: float | None = None
    """What first principles are expected to find for it, where its engine has a table of errors."""
    figures: list[FigureView]
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
    label: str
    """Name that people know it by."""
    outcome: Outcome
    value: float | None
    value_error: float | None
    total_low: float | None = None
    """The value, or the estimate for an unstable crystal, less one total standard error."""
    total_high: float | None = None
    """The same and one total standard error more."""
    estimate: float | None = None
    estimate_error: float | None = None
    probability_unstable: float | None = None
    expected_value: float | None = None
    expected_low: float | None = None
    """What first principles are expected to find, less one standard deviation."""
    expected_high: float | None = None
    error_basis: str = ""
    extrapolated: bool | None = None
    predicted_value: float | None
    predicted_low: float | None
    """The prediction less one standard deviation."""
    predicted_high: float | None
    """The prediction and one standard deviation more."""
    engine: str | None
    reason: str
    facts: dict[str, float | str | bool | None]
    """What is known of it without a result; `ObjectiveView.facts` has labels and units."""
    shown_fields: dict[str, float | str | bool | None]
    shown_total_std: dict[str, float] = {}
    """Total standard errors of further fields that have a table, by ``total_std_FIELD``."""
    on_front: bool | None
    """Whether no other result beats it in both objectives; None where there is one."""


class RankingPage(View):
    """Some rows of a ranking, and how many there are."""

    total: int
    offset: int
    rows: list[RankingRow]


# -------------------------------------------------------------------------------------- pictures


class Picture(View):
    """What all pictures have."""

    name: str
    """As `matscreen plot --kind` has it; pictures of one name are panels of one figure."""
    title: str
    caption: str
    """What is seen, in sentences, also for those who do not see it."""
    absent: str = ""
    """Why there is nothing to be drawn, in a sentence; empty where there is something."""


class Tick(View):
    """A named place on an axis."""

    at: float
    name: str


class Axis(View):
    """An axis of a curve."""

    title: str
    """With the unit, as `screening.messages.quantities.heading` writes it."""
    logarithmic: bool = False
    low: float | None = None
    """Where the axis begins; None leaves it to the data."""
    high: float | None = None
    whole: bool = False
    """Whether only whole numbers mean something."""
    ticks: list[Tick] = []
    """Named places instead of numbers."""


Role = Literal[
    "first",
    "second",
    "third",
    "fourth",
    "guide",
    "value",
    "computed",
    "predicted",
    "infeasible",
    "unstable",
    "failed",
]
LINE_ROLES: tuple[Role, ...] = ("first", "second", "third", "fourth")
"""Of lines of one kind; there is no telling more apart."""
Shape = Literal["line", "points", "line and points", "step after", "step before", "area"]


class Line(View):
    """A line, or points, of a curve; its lists are as long as `x`, or empty."""

    label: str = ""
    """For the legend; empty keeps it out of there."""
    role: Role
    """What it is; colour, dashes and marker follow from it.  A value is what is ranked by."""
    shape: Shape = "line"
    x: list[float]
    y: list[float]
    """Empty for points without a value, which stand along the lower edge."""
    x_error: list[float] = []
    y_low: list[float] = []
    """Lower ends of error bars."""
    y_high: list[float] = []
    ids: list[str] = []
    """Candidates that the points stand for."""
    texts: list[str] = []
    """What is told of each point, lines separated by line feeds."""


class Note(View):
    """A short text at a point."""

    x: float
    y: float
    text: str
    place: Literal["above", "below", "right"]


class CurveView(Picture):
    """Lines and points over two axes: the one form of everything that is a curve."""

    form: Literal["curve"] = "curve"
    headline: str = ""
    """A few words above the picture."""
    x: Axis
    y: Axis
    lines: list[Line]
    notes: list[Note] = []
    square: bool = False
    """Whether both axes have the same length."""


class PhononView(Picture):
    """Phonon frequencies along lines of high symmetry and their density of states.

    Imaginary frequencies are negative.  The density of states is that of the primitive cell, its
    integral three times the number of atoms.
    """

    form: Literal["phonons"] = "phonons"
    distance_per_a: list[list[float]]
    """One list a segment."""
    frequency_thz: list[list[list[float]]]
    """Same segments, shape (points, branches)."""
    labels: list[tuple[str, str]]
    """Names of both ends of each segment."""
    dos_frequency_thz: list[float]
    dos_per_thz: list[float]


class SpectralView(Picture):
    """How much of the vibrations of a crystal has a wave vector and a frequency: A(q, ω)."""

    form: Literal["spectral"] = "spectral"
    distance_per_a: list[list[float]]
    """One list a segment."""
    labels: list[tuple[str, str]]
    """Names of both ends of each segment."""
    frequency_thz: list[float]
    intensity_per_thz: list[list[list[float]]]
    """Same segments, shape (points, frequencies)."""


class PoolMapView(Picture):
    """The pool in the two directions in which its features spread most."""

    form: Literal["map"] = "map"
    explained_fraction: tuple[float, float]
    """Of the variance of the standardised features, along x and y."""
    candidate_id: list[str]
    label: list[str]
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


AnyPicture = Annotated[
    CurveView | PhononView | SpectralView | PoolMapView, Field(discriminator="form")
]


# ------------------------------------------------------------------------------------ a candidate


class Site(View):
    """An atom."""

    element: str
    position_a: tuple[float, float, float]
    """Cartesian."""


class CrystalView(View):
    """Atoms in a cell."""

    form: Literal["crystal"] = "crystal"
    caption: str
    formula: str
    space_group: str
    lattice_a: tuple[
        tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]
    ]
    """Rows are the cell's vectors."""
    sites: list[Site]


class SvgView(View):
    """A drawing that a kind of candidates brings ready."""

    form: Literal["svg"] = "svg"
    caption: str
    svg: str
    """The drawing itself; pages show it as an image, so that no program in it runs."""


class Fact(View):
    """A number or word, with its name and unit."""

    label: str
    value: float | int | str | bool | None
    unit: str


class Origin(View):
    """Where a candidate was found."""

    source: str
    material_id: str
    note: str
    """What was done to what the source has, beyond choosing a cell; empty for nothing."""


class PickView(View):
    """Why a candidate was chosen."""

    engine: str
    number: int
    round: int
    state: str
    reason_text: str
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
    picture: Annotated[CrystalView | SvgView, Field(discriminator="form")] | None
    """What the candidate looks like, where its kind has a drawing."""
    relaxed: bool
    """Whether facts and picture are those of the result, or as the source has them."""
    facts: list[Fact]
    """Of the result; else what the source states."""
    picks: list[PickView]
    """One for each engine."""
    provenance: dict[str, str]
    curves: list[AnyPicture]
    """What its objective draws of the result."""
