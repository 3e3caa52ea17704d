"""What every export form has to keep: a suite to subclass.

::

    class TestMyForm(ExportFormContract):
        @pytest.fixture
        def form(self):
            return MY_FORM

        @pytest.fixture
        def campaign(self):
            return a_campaign_with_results
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from screening.exports.choose import choose
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.exports import ExportForm
    from screening.exports.selection import Selection


class ExportFormContract:
    """Tests of one export form on a campaign whose best candidate is computed."""

    @pytest.fixture
    def form(self) -> ExportForm:
        """Return the form to test; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def campaign(self) -> Campaign:
        """Return a campaign with results; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def selection(self, form: ExportForm, campaign: Campaign) -> Selection:
        """Return the best candidate of the campaign."""
        return choose(campaign, form, [], 1, predicted=False, tell=lambda _: None)

    def test_it_says_what_it_is(self, form: ExportForm) -> None:
        assert form.name.islower()
        assert form.help.endswith(".")
        assert "\n" not in form.help
        assert form.place in ("file", "folder")
        assert form.content in ("row", "structure", "forces")

    def test_it_writes_what_it_announces_and_nothing_else(
        self, form: ExportForm, selection: Selection, tmp_path: Path
    ) -> None:
        form.write(selection, tmp_path, "written")
        written = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert written
        assert all(path.stat().st_size for path in written)
        if form.place == "file":
            assert written == [tmp_path / "written"]

    def test_other_kinds_of_candidates_are_refused_in_a_sentence(
        self, form: ExportForm, campaign: Campaign
    ) -> None:
        other = replace(form, kinds=("another kind",))
        with pytest.raises(ScreenError, match=rf"--as {form.name}: .* of kind another kind"):
            choose(campaign, other, [], None, predicted=False, tell=lambda _: None)
