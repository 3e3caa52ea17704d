"""The report and the dashboard as somebody sees and uses them, in a real browser."""

from __future__ import annotations

import contextlib
import csv
import datetime
import threading
import time
from dataclasses import replace

import pytest
import sample_views
from browser_fixtures import ARTEFACTS
from campaign_fixtures import toy_content, toy_pool
from killable_server import KillableServer

from screening.campaigns.indexes import indexes
from screening.pages import report
from screening.views import forms

pytestmark = pytest.mark.browser
COMPUTED = 24
ELECTRODE, LEFT_OUT = 14, 15


@pytest.fixture(scope="module")
def documents():
    return sample_views.documents(computed=COMPUTED)


@pytest.fixture(scope="module")
def address(documents, tmp_path_factory):
    """A report with details of all computed candidates but one."""
    rows = documents.rows[:COMPUTED]
    views = {row.candidate_id: sample_views.candidate(row) for row in rows}
    views[rows[ELECTRODE].candidate_id] = sample_views.candidate(
        rows[ELECTRODE], curves=sample_views.electrode_curves()
    )
    del views[rows[LEFT_OUT].candidate_id]
    details = {key: report.packed(view.model_dump_json()) for key, view in views.items()}
    path = tmp_path_factory.mktemp("report") / "report.html"
    written = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
    path.write_text(report.page(documents, details, written=written), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def opened(open_shared_page, address):
    page = open_shared_page(address)
    page.wait_for_selector("body[data-ready]")
    # Whatever is drawn, also the same again, is told here last.
    page.evaluate(
        """() => {
            window.drawings = 0;
            new MutationObserver(() => window.drawings++).observe(
                document.getElementById('ranking-shown'), { childList: true });
        }"""
    )
    return page


@contextlib.contextmanager
def redrawn(page):
    """Wait until what is done in here has had the ranking drawn again."""
    before = page.evaluate("window.drawings")
    yield
    # The page itself may not evaluate text, so it cannot be told what to wait for.
    deadline = time.monotonic() + 300
    while page.evaluate("window.drawings") == before:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def search(page, text):
    """Type into the search, which waits for the end of typing."""
    if page.input_value("#search") == text:
        return
    with redrawn(page):
        page.fill("#search", text)


@pytest.fixture
def page(opened):
    """The report as it is when it has just been opened."""
    close_candidate(opened)
    search(opened, "")
    opened.select_option("#outcome", "")
    opened.select_option("#limit", "25")
    opened.click("th[data-sort=label] button")
    opened.click("th[data-sort=rank] button")
    opened.wait_for_selector("th[data-sort=rank][aria-sort=ascending]")
    yield opened
    # Its crystal would be drawn over and over while other tests run.
    close_candidate(opened)
    assert opened.complaints == []


def column(page, index):
    return page.locator(f"#ranking-table tbody td:nth-child({index})").all_inner_texts()


def shown(page):
    return page.inner_text("#ranking-shown")


def close_candidate(page):
    page.evaluate("location.hash = ''")
    page.wait_for_selector("#campaign:not([hidden])")


def open_candidate(page, row):
    page.evaluate(f"location.hash = '#candidate/{row.candidate_id}'")
    page.wait_for_selector(f"#candidate-body[data-shown='{row.candidate_id}']")


def test_all_sections_are_there(page, documents):
    assert page.title() == "sample-1 – matscreen"
    assert page.locator("main .js-plotly-plot .main-svg").count() >= 3
    assert "0.500 W/m/K" in page.inner_text("#glance")
    assert "24 of 24 candidates of the budget ended" in page.inner_text("#glance")
    assert "as of 22 November 2026" in page.inner_text("#state")
    assert "random choice would be expected to have found" in page.inner_text("#progress-said")
    calibration = page.inner_text("#parity-said")
    assert "typical error a factor of 1.42" in calibration
    assert "64 % within one standard deviation" in calibration
    assert "48 % of the variance" in page.inner_text("#map-said")
    assert "third-order forces" in page.inner_text("#cost")
    for name in ("progress", "parity", "map"):
        picture = page.locator(f"#{name}-plot")
        assert picture.get_attribute("role") == "img"
        assert picture.get_attribute("aria-label")


def test_two_objectives_have_a_picture_and_a_column(page, open_page, documents, tmp_path):
    assert page.locator("#trade-off").is_hidden()
    assert page.locator("nav a[href='#trade-off']").is_hidden()
    assert "front" not in page.inner_text("#ranking-table thead")
    two = sample_views.with_second_objective(documents)
    written = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
    path = tmp_path / "report.html"
    path.write_text(report.page(two, {}, written=written), "utf-8")
    other = open_page(path.as_uri())
    other.wait_for_selector("body[data-ready]")
    best = [row for row in two.rows if row.on_front]
    assert 1 < len(best) < sum(row.outcome == "computed" for row in two.rows)
    assert f"{len(best)} of them are on the Pareto front" in other.inner_text("#trade-off-said")
    titles = other.locator(
        "#trade-off-plot .g-xtitle, #trade-off-plot .g-ytitle"
    ).all_text_contents()
    assert titles == [
        "κ(300 K) / (W/m/K) (low is good)",
        "highest frequency / THz (high is good)",
    ]
    headings = other.locator("#ranking-table thead th").all_inner_texts()
    fronts = column(other, headings.index("front") + 1)
    assert fronts == ["yes" if row.on_front else "" for row in two.rows[: len(fronts)]]
    other.screenshot(path=ARTEFACTS / "two-objectives.png", full_page=True)
    assert other.complaints == []


def test_foreign_text_is_shown_and_not_run(page, documents):
    assert sample_views.HOSTILE in page.inner_text("#outcomes")
    assert f"3 files not looked at: {sample_views.HOSTILE}" in page.inner_text("#outcomes")
    failed = next(row for row in documents.rows if row.outcome == "failed")
    open_candidate(page, failed)
    assert sample_views.HOSTILE in page.inner_text(".error")
    assert f"({sample_views.HOSTILE})" in page.inner_text("#candidate-body dl.list")
    assert page.evaluate("window.hacked") is None


def test_headings_sort(page, documents):
    page.select_option("#limit", "100")
    with redrawn(page):
        page.click("th[data-sort=value] button")
    values = sorted(row.value for row in documents.rows if row.value)
    assert [float(each.split()[0]) for each in column(page, 4) if each] == pytest.approx(
        values, rel=0.005
    )
    with redrawn(page):
        page.click("th[data-sort=value] button")
    assert page.get_attribute("th[data-sort=value]", "aria-sort") == "descending"
    texts = column(page, 4)
    assert float(texts[0].split()[0]) == pytest.approx(values[-1], rel=0.005)
    assert texts[-1] == ""  # Without a value: last either way.
    # Ties keep the order of the ranking.
    with redrawn(page):
        page.click("th[data-sort=label] button")
    rows = sorted(documents.rows, key=lambda row: (row.label, row.rank))
    unknown = [row.outcome == "predicted" and row.predicted_value is None for row in rows]
    assert any(unknown)
    # What is neither computed nor predicted has no rank.
    ranks = ["" if no else str(row.rank) for row, no in zip(rows, unknown, strict=True)]
    assert column(page, 1) == ranks


def test_measured_and_predicted_are_told_apart_in_words_and_marks(page, documents):
    outcomes = column(page, 3)
    assert outcomes[0] == "● computed"
    assert outcomes[-1] == "◇ predicted"
    assert column(page, 4)[0] == "0.500 ± 0.025"
    assert column(page, 5)[-1] == "3.80 ×/÷ 1.5"
    assert page.inner_text("th[data-sort=value]") == "computed κ(300 K) /\u00a0(W/m/K)"


def test_the_ranking_is_filtered_and_paged(page, documents):
    with redrawn(page):
        page.select_option("#outcome", "unstable")
    assert set(column(page, 3)) == {"▼ unstable\nimaginary modes: -0.31 THz"}
    page.select_option("#outcome", "")
    search(page, "mp-1007")
    assert column(page, 6) == ["mp-1007"]
    search(page, "i,ag")
    page.wait_for_selector("#ranking-shown:has-text(\"'i' in the search is not the symbol\")")
    search(page, "I,Ag")
    assert set(column(page, 2)) == {
        f"AgI\n{row.candidate_id}" for row in documents.rows if row.label == "AgI"
    }
    search(page, "unobtainium")
    assert column(page, 1) == []
    assert shown(page) == "No candidate fits the filter."
    search(page, "")
    with redrawn(page):
        page.click("#next")
    with redrawn(page):
        page.click("#next")
    assert shown(page) == "51–60 of 60 candidates"
    assert page.is_disabled("#next")


def test_what_the_filter_leaves_is_saved_as_csv(page, documents, tmp_path):
    page.select_option("#outcome", "infeasible")
    page.click("th[data-sort=value] button")
    with redrawn(page):
        page.click("th[data-sort=value] button")
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "sample-1-ranking.csv"
    download.value.save_as(tmp_path / "ranking.csv")
    with (tmp_path / "ranking.csv").open(newline="", encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    wanted = [row for row in documents.rows if row.outcome == "infeasible"][::-1]
    assert [each["candidate_id"] for each in saved] == [row.candidate_id for row in wanted]
    assert [float(each["kappa_300k_w_per_m_k"]) for each in saved] == [row.value for row in wanted]
    assert saved[0]["reason"] == sample_views.HOSTILE
    assert saved[0]["kappa_300k_error_w_per_m_k"]


def test_text_that_spreadsheets_would_run_is_saved_as_text(page):
    quoted = page.evaluate("['=1+1', '+x', '-x', '@x', 'a\"b', 'x,y', -1.5, null].map(inCsv)")
    assert quoted == ["'=1+1", "'+x", "'-x", "'@x", '"a""b"', '"x,y"', "-1.5", ""]


def test_a_candidate_opens_and_closes_by_keyboard(page, documents):
    first = documents.rows[0]
    link = page.locator(f"#ranking-table a[data-candidate='{first.candidate_id}']")
    link.focus()
    scroll = page.evaluate("scrollY")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#candidate-body[data-shown='{first.candidate_id}']")
    assert page.evaluate("location.hash") == f"#candidate/{first.candidate_id}"
    assert page.evaluate("document.activeElement.tagName") == "H2"
    pictures = page.locator("#candidate .js-plotly-plot")
    titles = pictures.evaluate_all("all => all.map((each) => each.dataset.figure)")
    assert titles == [
        "crystal",
        "Phonon bands and density of states",
        "κ against temperature",
        "Accumulated κ against frequency",
        "Accumulated κ against mean free path",
        "Convergence with the mesh",
    ]
    assert page.locator("[data-figure=crystal] canvas").count() >= 1
    page.locator("figcaption button", has_text="b").focus()
    page.keyboard.press("Enter")
    assert "isotopes scatter\tyes" in page.inner_text(".facts")
    ticks = page.locator("[data-figure^=Phonon] .xtick text").all_text_contents()
    assert ticks[:4] == ["Γ", "X", "U|K", "Γ"]
    page.keyboard.press("Escape")
    page.wait_for_selector("#campaign:not([hidden])")
    focused = page.evaluate("document.activeElement.dataset.candidate")
    assert focused == first.candidate_id
    assert page.evaluate("scrollY") == scroll


def test_what_a_candidate_lacks_is_said(page, documents):
    rows = documents.rows
    said = {}
    for row in (rows[3], rows[5], rows[6]):
        open_candidate(page, row)
        said[row.outcome] = page.inner_text(".absent >> nth=0")
        assert page.locator("#candidate .pictures .plot").count() == 0
    assert said["unstable"].startswith("Unstable: imaginary modes: -0.31 THz. So there is no κ")
    assert said["failed"].startswith("Failed, so there is no κ(300 K)")
    assert "breaks a constraint" in said["infeasible"]
    left_out = rows[LEFT_OUT].candidate_id
    for key, line in (
        (left_out, f"Left out of this file to keep it small; see: matscreen show {left_out}"),
        (rows[-1].candidate_id, "Predicted only; not computed yet."),
    ):
        page.evaluate(f"location.hash = '#candidate/{key}'")
        page.wait_for_selector(f"#candidate h2 small:text-is('{key}')")
        assert page.inner_text("#candidate .absent") == line
    page.evaluate("location.hash = '#candidate/nothing'")
    page.wait_for_selector("#candidate h2:text-is('nothing')")
    assert "not in this report" in page.inner_text("#candidate .absent")


def test_an_electrode_has_volume_and_voltage(page, documents):
    open_candidate(page, documents.rows[ELECTRODE])
    titles = page.locator("#candidate .pictures h3").all_inner_texts()
    assert titles == ["Volume along the path", "Voltage along the path"]


def test_candidates_without_elements_have_a_drawing_and_plain_names(open_page, tmp_path):
    sample = sample_views.documents(pool=8, computed=6)
    objective = sample.overview.objective.model_copy(
        update={
            "elements": False,
            "facts": [],
            "label": forms.QuantityView(field="name", label="name", unit=""),
        }
    )
    rows = [row.model_copy(update={"label": "C2, H4", "facts": {}}) for row in sample.rows]
    overview = sample.overview.model_copy(update={"objective": objective})
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'
    views = [
        sample_views.candidate(rows[0], picture=forms.SvgView(caption="A unit.", svg=svg)),
        sample_views.candidate(rows[1], picture=None),
    ]
    path = tmp_path / "report.html"
    details = {view.row.candidate_id: report.packed(view.model_dump_json()) for view in views}
    changed = replace(sample, overview=overview, rows=rows)
    written = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
    path.write_text(report.page(changed, details, written=written), "utf-8")
    page = open_page(path.as_uri())
    page.wait_for_selector("body[data-ready]")
    assert page.get_attribute("#search", "placeholder") == "name, id"
    assert page.locator("th[data-sort=space_group_number]").count() == 0
    assert page.locator("td.name sub").count() == 0
    page.fill("#search", "c2, h")
    page.wait_for_selector("#ranking-shown:has-text('of 8 candidates')")
    open_candidate(page, rows[0])
    assert page.locator("#candidate img").evaluate("each => each.naturalWidth") == 40
    open_candidate(page, rows[1])
    headings = page.locator("#candidate h3").all_inner_texts()
    assert "Crystal" not in headings
    assert "Drawing" not in headings
    assert page.complaints == []


def test_a_click_on_a_point_opens_its_candidate(page, documents):
    page.locator("#progress-plot").scroll_into_view_if_needed()
    point = page.locator("#progress-plot .scatterlayer .points path").first.bounding_box()
    page.mouse.click(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.wait_for_selector("#candidate-body[data-shown]")
    ids = {row.candidate_id for row in documents.rows[:COMPUTED]}
    assert page.get_attribute("#candidate-body", "data-shown") in ids


def test_on_paper_there_are_no_controls_and_nothing_is_cut(page, documents, tmp_path):
    page.emulate_media(media="print")
    try:
        for control in ("nav", "#search", "#csv", "#next", "#ranking-table th button"):
            assert not page.is_visible(control)
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX")
            == "visible"
        )
    finally:
        page.emulate_media(media="screen")
    printed = page.pdf(path=ARTEFACTS / "report.pdf", format="A4")
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page/") <= 12
    assert page.evaluate("document.documentElement.className") == ""


INK = {"light": "rgb(26, 26, 26)", "dark": "rgb(236, 236, 236)"}


def assert_ink(page, colours):
    assert page.evaluate("getComputedStyle(document.body).color") == INK[colours]
    tick = f"#progress-plot .ytick:first-of-type text[style*='fill: {INK[colours]}']"
    page.wait_for_selector(tick, state="attached")


def assert_fits(page, width):
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_a_phone_in_the_dark_and_by_day(open_page, address, documents):
    """Opening a report takes seconds, so one is opened for all other screens."""
    page = open_page(address, width=390, dark=True)
    page.wait_for_selector("body[data-ready]")
    assert_ink(page, "dark")
    assert_fits(page, 390)
    page.screenshot(path=ARTEFACTS / "report-dark.png", full_page=True)
    open_candidate(page, documents.rows[0])
    assert_fits(page, 390)
    page.screenshot(path=ARTEFACTS / "report-dark-candidate.png", full_page=True)
    close_candidate(page)
    page.emulate_media(color_scheme="light")
    assert_ink(page, "light")
    # Pictures are drawn again, and plotly takes a max-width for a width.
    page.wait_for_function("document.scrollingElement.scrollWidth <= 390")
    page.screenshot(path=ARTEFACTS / "report-phone.png", full_page=True)
    assert page.complaints == []


def test_a_desktop_is_kept_as_a_picture(page, documents):
    assert_ink(page, "light")
    page.screenshot(path=ARTEFACTS / "report-desktop.png", full_page=True)
    open_candidate(page, documents.rows[0])
    page.screenshot(path=ARTEFACTS / "report-desktop-candidate.png", full_page=True)
    assert_fits(page, 1280)


def test_an_old_browser_is_told(open_page, address):
    page = open_page(address, before="delete window.DecompressionStream")
    page.wait_for_selector("#state:has-text('too old')")


# -------------------------------------------------------------------------------- the dashboard


@pytest.fixture
def server(tmp_path):
    server = KillableServer(tmp_path / "database")
    yield server
    server.kill()


def test_the_dashboard_follows_a_campaign(toy, server, open_page, tmp_path):
    """It follows a campaign that runs, keeps what the reader set, and outlasts its database."""
    import uvicorn

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.cli.serve import listening
    from screening.running.worker import work
    from screening.server.app import dashboard
    from screening.store.database import Database
    from screening.targets.engines import engine_config

    token = "token-of-the-test"
    database = Database(server.uri, "screen")
    deadline = time.monotonic() + 300
    while not _answers(database) and time.monotonic() < deadline:
        time.sleep(0.1)
    database.prepare(indexes())
    config = CampaignConfig.model_validate(toy_content(budget=4, batch_size=1))
    pool = toy_pool(12)
    campaign = Campaign.create(database, "toy-1", config, engine_config("emt"), pool)
    app = dashboard(database, loopback=True, token=token)
    running = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="critical"))
    with listening("127.0.0.1", 0) as listener:
        serving = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        serving.start()
        try:
            at = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            page = open_page(f"{at}?token={token}")
            # On a busy machine a campaign takes a while.
            page.set_default_timeout(600_000)
            page.wait_for_selector("body[data-ready]")
            assert page.url == at
            page.wait_for_selector("#state:text-is('live')")
            assert "0 of 4" in page.inner_text("#budget-said")
            page.click("th[data-sort=label] button")
            page.wait_for_selector("th[data-sort=label][aria-sort=ascending]")
            page.evaluate("window.stillTheSame = true; scrollTo(0, 200)")
            before = column(page, 2)
            assert page.locator("#campaigns").is_hidden()
            Campaign.create(database, "toy-2", config, engine_config("emt"), pool)
            page.wait_for_selector("#campaigns option[value='toy-2']", state="attached")
            assert page.locator("#campaigns").is_visible()
            assert page.input_value("#campaigns") == "toy-1"

            work(database, campaign.name, tmp_path / "jobs")
            page.wait_for_selector("#budget-said:has-text('4 of 4')")
            page.wait_for_selector("tr.computed >> nth=3")
            page.wait_for_selector("#progress-plot .scatterlayer .points path")
            assert column(page, 2) == before
            assert page.evaluate("window.stillTheSame")
            assert page.evaluate("scrollY") == 200
            page.wait_for_selector("#state:text-is('finished')")
            page.screenshot(path=ARTEFACTS / "dashboard.png", full_page=True)

            first = page.locator("tr.computed a").first
            key = first.get_attribute("data-candidate")
            first.click()
            page.wait_for_selector(f"#candidate-body[data-shown='{key}']")
            assert page.complaints == []

            server.kill()
            page.evaluate("document.querySelector('#candidate a').click()")
            page.click("th[data-sort=rank] button")
            page.wait_for_selector("#state:has-text('trying again')")
            assert "the database does not answer" in page.inner_text("#state")
            server.start()
            page.wait_for_selector("#state.live:text-is('finished')")
            # The browser itself notes failed requests.
            assert all("503" in each for each in page.complaints)
        finally:
            running.should_exit = True
            serving.join()
            database.close()


def _answers(database):
    from pymongo.errors import PyMongoError

    try:
        database.campaigns.find_one({})
    except PyMongoError:
        return False
    return True
