"""What every picture has to keep: a suite to subclass, for figures of campaigns and for curves.

A package that brings curves of a target tests them so::

    class TestMyCurve(PictureContract):
        @pytest.fixture
        def pictures(self):
            return my_curve(a_result)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from screening.figures.plot import draw
from screening.figures.style import WIDTHS_MM
from screening.views.forms import CurveView, ObjectiveView, QuantityView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.views.forms import AnyPicture

OBJECTIVE = ObjectiveView(
    name="contract",
    value=QuantityView(field="value", label="value", unit=""),
    error_field=None,
    direction="minimize",
    logarithmic=False,
    label=QuantityView(field="name", label="name", unit=""),
    facts=[],
    elements=False,
    shown_fields=[],
    second_objective=None,
)


class PictureContract:
    """Tests of pictures that belong to one name of `matscreen plot --kind`."""

    @pytest.fixture
    def pictures(self) -> Sequence[AnyPicture]:
        """Return the pictures to test; to be overridden."""
        raise NotImplementedError

    def test_there_is_a_picture_in_words(self, pictures: Sequence[AnyPicture]) -> None:
        assert pictures
        for picture in pictures:
            assert picture.title
            assert picture.caption or picture.absent

    def test_lists_of_a_line_belong_together(self, pictures: Sequence[AnyPicture]) -> None:
        for picture in pictures:
            for line in picture.lines if isinstance(picture, CurveView) else []:
                assert line.x
                for values in (line.y, line.x_error, line.y_low, line.y_high, line.ids, line.texts):
                    assert len(values) in (0, len(line.x))
                assert bool(line.y_low) == bool(line.y_high)

    def test_axes_have_titles_and_can_show_what_they_have(
        self, pictures: Sequence[AnyPicture]
    ) -> None:
        for picture in pictures:
            if not isinstance(picture, CurveView):
                continue
            for axis, values in (
                (picture.x, [at for line in picture.lines for at in line.x]),
                (picture.y, [at for line in picture.lines for at in line.y]),
            ):
                assert axis.title
                assert axis.low is None or axis.high is None or axis.low < axis.high
                if axis.logarithmic:
                    low = 0.0 if axis.low is None else axis.low
                    assert all(value > 0 or value < low for value in values)
                    assert axis.low is None or axis.low > 0

    def test_they_survive_json(self, pictures: Sequence[AnyPicture]) -> None:
        for picture in pictures:
            assert type(picture).model_validate_json(picture.model_dump_json()) == picture

    @pytest.mark.parametrize("width_mm", [WIDTHS_MM[0], 180.0])
    def test_they_are_drawn_for_print(
        self, pictures: Sequence[AnyPicture], width_mm: float
    ) -> None:
        if any(picture.absent for picture in pictures):
            pytest.skip("there is nothing to be drawn")
        figure = draw(pictures, OBJECTIVE, width_mm)
        figure.draw_without_rendering()
        assert math.isclose(figure.get_size_inches()[0] * 25.4, width_mm)
        assert any(axes.has_data() for axes in figure.axes)
