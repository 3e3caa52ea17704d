"""Figures: what is drawn, in the style of the product, and files that are whole and the same."""

from __future__ import annotations

import functools
import itertools
import math
import re
import resource
from collections import defaultdict
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from screening.figures import style
from screening.figures.plot import draw
from screening.messages.errors import ScreenError
from screening.targets.objectives import OBJECTIVES, candidate_figures
from screening.testing.figure_contract import PictureContract
from screening.views import campaign_figures, conductivity_curves
from screening.views.candidate import _pictures
from screening.views.forms import ObjectiveView, PoolMapView, QuantityView, SecondObjectiveView
from screening.views.parity import ParityView, parity_picture
from screening.views.progress import ProgressView, progress_picture
from screening.views.trade_off import TradeOffView, trade_off_picture

KAPPA = QuantityView(field="kappa_300k_w_per_m_k", label="κ(300 K)", unit="W/m/K")
OBJECTIVE = ObjectiveView(
    name="kappa",
    value=KAPPA,
    error_field=None,
    direction="minimize",
    logarithmic=True,
    label=QuantityView(field="formula", label="formula", unit=""),
    facts=[],
    elements=True,
    shown_fields=[],
    second_objective=None,
)
TWO_OBJECTIVES = OBJECTIVE.model_copy(
    update={
        "second_objective": SecondObjectiveView(
            field="max_frequency_thz",
            label="highest frequency",
            unit="THz",
            direction="maximize",
        )
    }
)
TEMPERATURES = [100.0, 300.0, 900.0]


def crystal(*edges):
    """Return a crystal of one atom whose cell has these edges, at right angles."""
    matrix = [[edge if i == j else 0.0 for j in range(3)] for i, edge in enumerate(edges)]
    sites = [{"label": "Na", "species": [{"element": "Na", "occu": 1}], "abc": [0.0, 0.0, 0.0]}]
    return {"lattice": {"matrix": matrix}, "sites": sites}


RESULT = {
    "structure": crystal(4.0, 4.0, 6.0),
    "spectrum": {
        "band_distance_per_a": [[0.0, 0.1, 0.2], [0.2, 0.22], [0.22, 0.4]],
        "band_frequency_thz": [
            [[0.0, 0.0], [1.0, 2.0], [1.5, 3.0]],
            [[1.5, 3.0], [1.4, 2.9]],
            [[1.6, 2.5], [0.0, 0.0]],
        ],
        "band_labels": [("$\\Gamma$", "X"), ("X", "U"), ("K", "$\\Gamma$")],
        "dos_frequency_thz": [0.0, 1.0, 2.0, 3.0, 3.1],
        "dos_per_thz": [0.0, 2.0, 1.0, 2.0, 0.0],
    },
    "temperatures_k": TEMPERATURES,
    "kappa_tensor_w_per_m_k": [[360 / t, 360 / t, 180 / t, 0, 0, 0] for t in TEMPERATURES],
    "meshes": [
        {"mesh": [n, n, n], "kappa_300k_w_per_m_k": kappa}
        for n, kappa in ((5, 0.8), (7, 0.95), (9, 0.98))
    ],
    "kappa_300k_w_per_m_k": 1.02,
    "kappa_300k_error_w_per_m_k": 0.1,
    "kappa_300k_mesh_error_w_per_m_k": 0.05,
    "transport": {
        "frequency_thz": [0.0, 1.0, 2.0, 3.0],
        "cumulative_kappa_of_frequency_w_per_m_k": [0.0, 0.4, 0.8, 1.0],
        "mean_free_path_angstrom": [1.0, 10.0, 100.0, 1000.0],
        "cumulative_kappa_of_mean_free_path_w_per_m_k": [0.0, 0.3, 0.9, 1.0],
    },
}
ELECTRODE = {
    "working_ion": "Li",
    "path": [
        {"formula": formula, "working_ions": ions, "volume_a3": volume}
        for formula, ions, volume in (
            ("FePO4", 0.0, 68.0),
            ("LiFe2(PO4)2", 0.5, 71.0),
            ("LiFePO4", 1.0, 72.0),
        )
    ],
    "voltages": [
        {"working_ions_charged": start, "working_ions_discharged": end, "voltage_v": voltage}
        for start, end, voltage in ((0.0, 0.5, 3.5), (0.5, 1.0, 3.4))
    ],
}


def of_result(objective, result):
    """Return what draws each figure of a result."""
    views = _pictures(OBJECTIVES.load(objective), result)
    return {
        name: functools.partial(draw, [view for view in views if view.name == name], OBJECTIVE)
        for name in OBJECTIVES.load(objective).curves
    }


def drawn(**changes):
    """Return what draws each figure of a conductor with some fields changed."""
    return of_result("lattice-thermal-conductivity", RESULT | changes)


PROGRESS = ProgressView(
    number=[1, 2, 3, 4],
    round=[1, 1, 2, 2],
    candidate_id=["a", "b", "c", "d"],
    label=["NaCl", "KCl", "RbI", "LiF"],
    outcome=["computed", "unstable", "computed", "failed"],
    value=[7.0, None, 1.0, None],
    best=[7.0, 7.0, 1.0, 1.0],
    random_best=[20.0, 9.0, 4.0, 2.0],
    random_known=2,
    random_predicted=9,
)
PARITY = ParityView(
    candidate_id=["a", "b"],
    label=["NaCl", "KCl"],
    number=[3, 4],
    computed=[1.0, 10.0],
    computed_error=[0.1, None],
    predicted=[2.0, 8.0],
    predicted_low=[1.0, 4.0],
    predicted_high=[4.0, 16.0],
    coverage_1std=0.5,
    calibration=None,
)
MAP = PoolMapView(
    name="map",
    title="Map",
    caption="A map.",
    explained_fraction=(0.4, 0.2),
    candidate_id=["a", "b", "c", "d"],
    label=["NaCl", "KCl", "RbI", "LiF"],
    x=[0.0, 1.0, 2.0, 3.0],
    y=[1.0, 0.0, 1.0, 0.0],
    outcome=["computed", "predicted", "unstable", "predicted"],
    number=[1, None, 2, None],
    round=[1, None, 1, None],
    value=[5.0, 2.0, None, 50.0],
    shown=4,
    pool=4,
)
TRADE_OFF = TradeOffView(
    candidate_id=["a", "b", "c"],
    label=["NaCl", "KCl", "RbI"],
    value=[0.5, 2.0, 4.0],
    value_error=[0.1, None, 0.5],
    second=[3.0, 9.0, 4.0],
    on_front=[True, True, False],
)
CHAIN = {
    "persistence_length_nm": 2.4,
    "torsions": [
        {"bond": bond, "angles_deg": [-180.0, -90.0, 0.0, 90.0], "energies_kj_per_mol": energies}
        for bond, energies in (("C4–O5", [0.0, 2.0, 1.0, 2.0]), ("N1–C2", [3.0, 0.0, 3.0, 0.0]))
    ],
}
FIGURES = {
    **of_result("lattice-thermal-conductivity", RESULT),
    **of_result("chain-speed-of-sound", CHAIN),
    **of_result("electrode-volume-change", ELECTRODE),
    "progress": functools.partial(draw, [progress_picture(PROGRESS, OBJECTIVE)], OBJECTIVE),
    "parity": functools.partial(draw, [parity_picture(PARITY, OBJECTIVE)], OBJECTIVE),
    "trade-off": functools.partial(draw, [trade_off_picture(TRADE_OFF, TWO_OBJECTIVES)], OBJECTIVE),
    "map": functools.partial(draw, [MAP], OBJECTIVE),
    "map, linear": functools.partial(
        draw, [MAP], OBJECTIVE.model_copy(update={"logarithmic": False})
    ),
}


@functools.cache
def shown(name, width_mm=85.0):
    """Return a figure laid out, for tests that only look at it."""
    figure = FIGURES[name](width_mm)
    figure.draw_without_rendering()
    return figure


def texts(figure):
    """Return all text of a figure, laid out, that has any."""
    from matplotlib.text import Text

    visible = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text()]
    return {each.get_text().strip(): each for each in visible}


def tick_labels(axis):
    """Return the labels that are seen along an axis, those on one line together."""
    low, high = sorted(axis.get_view_interval())
    rows = defaultdict(list)
    for tick in axis.get_major_ticks():
        label = tick.label1
        if label.get_visible() and label.get_text() and low <= tick.get_loc() <= high:
            rows[label.get_text().count("\n")].append(label)
    return rows


@pytest.mark.parametrize("width_mm", [70.0, 85.0, 180.0])
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_or_lies_on_another(name, width_mm):
    figure = shown(name, width_mm)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(width_mm)
    assert any(axes.has_data() for axes in figure.axes)
    drawn = list(figure.legends)
    for axes in figure.axes:
        drawn += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        for axis in (axes.xaxis, axes.yaxis):
            for labels in tick_labels(axis).values():
                drawn += labels
                boxes = [each.get_window_extent() for each in labels]
                for one, other in itertools.pairwise(boxes):
                    assert not one.overlaps(other), labels
    page = figure.bbox.padded(1)
    for each in drawn:
        box = each.get_window_extent()
        if box.width and box.height:
            assert page.x0 <= box.x0 <= box.x1 <= page.x1, each
            assert page.y0 <= box.y0 <= box.y1 <= page.y1, each


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("bands", ["frequency / THz", "DOS / THz⁻¹"]),
        ("dos", ["frequency / THz", "density of states / THz⁻¹"]),
        ("kappa", ["temperature / K", "κ / (W/m/K)"]),
        ("accumulation", ["frequency / THz", "mean free path / nm", "accumulated κ / (W/m/K)"]),
        ("meshes", ["κ(300 K) / (W/m/K)"]),
        ("volume-change", ["volume / Å³", "voltage / V", "Li per formula unit of the host"]),
        ("progress", ["candidates computed", "κ(300 K) / (W/m/K)"]),
        ("parity", ["computed κ(300 K) / (W/m/K)", "predicted κ(300 K) / (W/m/K)"]),
        ("map", ["first component (40 % of the variance)", "κ(300 K) / (W/m/K)"]),
    ],
)
def test_axes_say_what_they_are_and_in_which_unit(name, units):
    assert set(units) <= set(texts(shown(name)))


def test_bands_are_drawn_whole_with_their_points_named():
    figure = shown("bands")
    axes, beside = figure.axes
    names = [label.get_text().strip() for label in axes.get_xticklabels()]
    assert names == ["Γ", "X", "U|K", "Γ"]
    assert axes.get_ylim() == beside.get_ylim() == pytest.approx((0, 1.04 * 3.0))
    lines = [line for line in axes.lines if len(line.get_xdata()) > 2 or line.get_xdata()[0] > 0.2]
    assert max(max(line.get_ydata()) for line in lines) == 3.0
    # No room for both.
    assert len(shown("bands", 70.0).axes) == 1


def test_imaginary_modes_are_below_zero_and_marked():
    bands = [[[0.0, 0.0], [-0.8, 2.0], [1.5, 3.0]], *RESULT["spectrum"]["band_frequency_thz"][1:]]
    soft = RESULT["spectrum"] | {"band_frequency_thz": bands}
    figure = drawn(spectrum=soft)["bands"](85.0)
    figure.draw_without_rendering()
    assert figure.axes[0].get_ylim()[0] < -0.8
    assert "imaginary" in texts(figure)
    assert "imaginary" not in texts(shown("bands"))


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_kappa_is_logarithmic_where_it_spans_much():
    [axes] = shown("kappa").axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    near = {"temperatures_k": [250.0, 300.0], "kappa_tensor_w_per_m_k": [[1.2] * 6, [1.0] * 6]}
    [axes] = drawn(**near)["kappa"](85.0).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("edges", "along"),
    [
        ((4.0, 4.0, 4.0), []),
        ((4.0, 4.0, 6.0), ["xx = yy", "zz"]),
        ((6.0, 4.0, 4.0), ["xx", "yy = zz"]),
        ((4.0, 5.0, 6.0), ["xx", "yy", "zz"]),
    ],
)
def test_kappa_along_axes_is_joined_where_symmetry_makes_it_equal(edges, along):
    # The axes differ by a tenth of a per cent: whether that is real is for symmetry to say.
    nearly = [[k * (1 + 0.001 * i) for i in range(3)] + [0, 0, 0] for k in (3.6, 1.2, 0.4)]
    figure = drawn(structure=crystal(*edges), kappa_tensor_w_per_m_k=nearly)["kappa"](85.0)
    assert legend_of(figure) == ["mean, 9×9×9", *along, "value at 300 K, of all meshes"]


def test_axes_of_a_trigonal_crystal_are_equal_where_its_threefold_axis_is_z():
    turn = np.array([[-0.5, -math.sqrt(0.75), 0], [math.sqrt(0.75), -0.5, 0], [0, 0, 1]])
    rotations = np.array([np.eye(3), turn, turn @ turn])
    assert conductivity_curves.equal_axes(rotations) == [[0, 1], [2]]
    assert conductivity_curves.equal_axes(rotations[:1]) == [[0], [1], [2]]
    to_diagonal = np.array([[1, 0, 0], [0, 1, 1], [0, -1, 1]]) / np.array([[1], [2**0.5], [2**0.5]])
    turned = to_diagonal @ rotations @ to_diagonal.T
    assert conductivity_curves.equal_axes(turned) == [[0], [1, 2]]


def test_half_of_kappa_is_named():
    said = texts(shown("accumulation"))
    assert {"half at\n2.0 THz", "half at\n10 nm"} <= set(said)


def test_what_has_no_value_is_marked_below_and_the_best_is_named():
    figure = shown("progress")
    assert "RbI" in texts(figure)
    wanted = ["best so far", "random choice, on average", "computed", "unstable", "failed"]
    assert legend_of(figure) == wanted


def test_lines_that_belong_together_differ_in_grey():
    figure = shown("kappa")
    looks = [(line.get_linestyle(), line.get_marker()) for line in figure.axes[0].lines[:3]]
    assert len(set(looks)) == 3


def test_formulas_have_subscripts():
    assert "LiFe₂(PO₄)₂" in texts(shown("volume-change"))


@pytest.mark.parametrize("low_high", [(0.02, 300.0), (0.9, 1.7), (1.05, 9.0), (3.0, 40.0)])
def test_logarithmic_axes_have_a_few_plain_numbers(low_high):
    with style.style():
        figure = style.new_figure(85.0, 0.7)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.set_ylim(*low_high)
        style.plain_log_ticks(axes.yaxis)
        figure.draw_without_rendering()
    low, high = low_high
    said = [
        tick.label1.get_text()
        for tick in axes.yaxis.get_major_ticks()
        if low <= tick.get_loc() <= high
    ]
    assert 2 <= len(said) <= 8
    assert all(math.isfinite(float(each)) for each in said)


def test_the_users_own_style_is_neither_used_nor_changed():
    mine = {"font.size": 30.0, "lines.linewidth": 9.0}
    with matplotlib.rc_context(mine):
        figure = FIGURES["dos"](85.0)
        assert {key: matplotlib.rcParams[key] for key in mine} == mine
    figure.draw_without_rendering()
    assert texts(figure)["frequency / THz"].get_fontsize() == 8
    assert to_hex(figure.axes[0].lines[0].get_color()) == style.BLUE.lower()


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_the_same_figure_is_the_same_file(tmp_path, ending):
    files = [tmp_path / f"{name}{ending}" for name in ("one", "two")]
    for path in files:
        style.save(FIGURES["map"](85.0), path, "a map")
    one, two = (path.read_bytes() for path in files)
    assert one == two
    assert len(one) > 1000
    assert sorted(tmp_path.iterdir()) == files
    assert files[0].stat().st_mode & 0o444 == 0o444


def test_text_can_be_edited(tmp_path):
    figure = FIGURES["kappa"](85.0)
    style.save(figure, tmp_path / "a.svg", "κ of KCl")
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert "<text" in text
    assert "temperature / K" in text
    assert "<dc:date" not in text
    style.save(figure, tmp_path / "a.pdf", "κ of KCl")
    content = (tmp_path / "a.pdf").read_bytes()
    # Fonts that can be edited (42), instead of drawn glyphs (3).
    assert b"/Type42" in content or b"/CIDFontType2" in content or b"/TrueType" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, ending):
    path = tmp_path / f"figure.{ending}"
    path.write_text("an earlier one")
    figure = FIGURES["dos"](85.0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(ScreenError, match=rf"figure\.{ending}: cannot be written: File too"):
            style.save(figure, path, "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "an earlier one"
    assert list(tmp_path.iterdir()) == [path]
    style.save(figure, path, "")
    assert path.read_bytes()[:5] in (b"<?xml", b"%PDF-", b"\x89PNG\r")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("figure.jpg", "ends in .png, .svg or .pdf"),
        ("figure", "ends in"),
        ("no/figure.png", "no folder"),
        ("folder.png", "is a folder"),
    ],
)
def test_names_that_no_figure_can_have(tmp_path, name, said):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ScreenError, match=said):
        style.checked_path(tmp_path / name)


GUIDE = (Path(__file__).parents[3] / "docs" / "how-to" / "figures.md").read_text("utf-8")


def test_the_guide_lists_every_figure():
    listed = re.findall(r"^\| `([a-z][a-z-]*)`", GUIDE, re.M)
    assert sorted(listed) == sorted([*campaign_figures.FIGURES.names(), *candidate_figures()])


class TestCurveOfTheGuide(PictureContract):
    @pytest.fixture
    def pictures(self):
        [code] = [
            fence
            for fence in re.findall(r"```python\n(.*?)```", GUIDE, re.S)
            if "file: lab/curves.py" in fence
        ]
        namespace = {}
        exec(code, namespace)
        assert namespace["relaxation"]({}) == []
        result = {"initial_volume_a3_per_atom": 11.0, "volume_a3_per_atom": 10.5}
        return namespace["relaxation"](result)


class TestContract(PictureContract):
    # `test_no_text_is_cut_or_lies_on_another` draws all of them in the same widths, and sees more.
    test_they_are_drawn_for_print = None

    @pytest.fixture(params=sorted(FIGURES))
    def pictures(self, request):
        return FIGURES[request.param].args[0]
