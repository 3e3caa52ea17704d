"""What the pages say is true: links, commands, settings, tables, queries and snippets."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import PAGES, ROOT, Fence, fences, names_in, rows_after
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from screening.sources import SOURCES

CAMPAIGN = "low-kappa-1"
"""Name the pages use, and the one a first `matscreen submit --target low-kappa` gives."""


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def command_lines() -> list[tuple[str, str]]:
    return [
        (_id(fence.page), line.strip())
        for fence in fences("bash")
        for line in fence.text.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def screen_lines() -> list[tuple[str, list[str]]]:
    split = [(page, shlex.split(line, comments=True)) for page, line in command_lines()]
    return [(page, words[1:]) for page, words in split if words[0] in {"screen", "matscreen"}]


def column(rows: list[list[str]], index: int = 0) -> list[str]:
    return [name for row in rows for name in names_in(row[index])]


def imported(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


# ---------------------------------------------------------------------------- pages and links


def _slugs(path: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", title.lower())) for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_links_resolve(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https://", target):
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place) if place else page
        assert path.exists(), f"{_id(page)} links to {target}, which does not exist"
        if anchor:
            assert anchor in _slugs(path), f"{_id(page)} links to {target}: no such heading"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=_id)
def test_pages_of_the_site_link_within_the_site(page):
    for target in re.findall(r"\]\(((?:\.\./)[^)\s#]+)", page.read_text("utf-8")):
        assert (ROOT / "docs") in (page.parent / target).resolve().parents, target


def test_every_page_is_in_the_navigation():
    def leaves(node: Any) -> list[str]:
        if isinstance(node, str):
            return [node]
        children = node.values() if isinstance(node, dict) else node
        return [leaf for child in children for leaf in leaves(child)]

    nav = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(nav) == sorted(pages)


# -------------------------------------------------------------------------------- commands


@pytest.fixture(scope="module")
def program():
    import typer

    from screening.cli.program import app

    return typer.main.get_command(app)


@pytest.mark.parametrize(("page", "words"), screen_lines(), ids=lambda value: str(value)[:60])
def test_commands_and_options_exist(program, page, words):
    command = program.commands[words[0]]
    command.make_context(words[0], list(words[1:]))


def test_inline_commands_exist(program):
    for page in PAGES:
        for inline in re.findall(r"`(?:screen|matscreen) ([a-z]+)[^`]*`", page.read_text("utf-8")):
            assert inline in program.commands, f"{_id(page)}: screen {inline}"


def test_every_command_is_on_the_page_of_commands_and_has_help(program, screen):
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    for name in program.commands:
        assert f"matscreen {name}" in page
        answer = screen(name, "--help")
        assert answer.status == 0
        assert "Usage" in answer.out


def test_make_lines_name_targets_and_variables_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.M))
    lines = [line for _, line in command_lines() if line.startswith("make")]
    assert lines
    for line in lines:
        for word in shlex.split(line, comments=True)[1:]:
            name, assigns, _ = word.partition("=")
            assert name in (variables if assigns else targets), line


def test_the_readme_states_what_make_run_does():
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text("utf-8")
    (budget,) = re.findall(r"^BUDGET \?= (\d+)", makefile, re.M)
    assert f"computes {budget} of them" in readme
    assert ("--batch-size 2" in makefile) == ("two at a time" in readme)
    target = yaml.safe_load((ROOT / "configs/targets/low-kappa.yaml").read_text())
    assert (target["sampler"]["initial"] == 4) == ("first four crystals" in readme)
    assert target["sampler"]["kind"].replace("-", " ") in readme


def test_exported_variables_are_settings():
    from screening.machine.settings import Settings
    from workflows.dft import espresso, gpaw

    known = {f"SCREEN_{name.upper()}" for name in Settings.model_fields}
    known |= {gpaw.COMMAND_VARIABLE, espresso.COMMAND_VARIABLE, espresso.LIBRARY_VARIABLE}
    # atomate2's and pymatgen's own.
    known |= {"ATOMATE2_VASP_CMD", "PMG_VASP_PSP_DIR"}
    for page, line in command_lines():
        if match := re.match(r"export (\w+)=", line):
            assert match[1] in known | {"SCREEN_TEST_MONGODB_URI"}, f"{page}: {line}"


# ------------------------------------------------------------------------ settings and fields


def _marked(kind: str) -> list[tuple[str, str]]:
    return [
        (_id(page), name)
        for page in PAGES
        for name in re.findall(rf"<!-- {kind} of ([\w.:]+) -->", page.read_text("utf-8"))
    ]


@pytest.mark.parametrize(("page", "model"), _marked("fields"))
def test_tables_list_the_fields_of_the_model(page, model):
    rows = rows_after(page, f"<!-- fields of {model} -->")
    assert sorted(column(rows)) == sorted(imported(model).model_fields)


@pytest.mark.parametrize(("page", "model"), _marked("defaults"))
def test_tables_state_the_defaults_of_the_model(page, model):
    rows = rows_after(page, f"<!-- defaults of {model} -->")
    fields = imported(model).model_fields
    assert sorted(column(rows)) == sorted(fields)
    for name_cell, stated, *_ in rows:
        (name,) = names_in(name_cell)
        default = fields[name].get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            assert stated.startswith("see "), f"{name}: {stated}"
        elif name == "target":
            assert "--target" in stated
        elif default is PydanticUndefined:
            assert stated == "required", f"{name} has no default"
        else:
            (literal,) = names_in(stated)
            plain = list(default) if isinstance(default, tuple) else default
            assert yaml.safe_load(literal) == plain, f"{name}: {literal}, in the code {default!r}"


@pytest.mark.parametrize(("page", "model"), _marked("more"))
def test_tables_state_what_a_model_adds_to_its_base(page, model):
    rows = rows_after(page, f"<!-- more of {model} -->")
    fields = imported(model).model_fields
    (base,) = imported(model).__bases__
    own = {
        name
        for name, field in fields.items()
        if name not in base.model_fields or base.model_fields[name].default != field.default
    }
    assert set(column(rows)) == own
    for name_cell, stated, *_ in rows:
        (name,) = names_in(name_cell)
        (literal,) = names_in(stated)
        default = fields[name].get_default(call_default_factory=True)
        assert yaml.safe_load(literal) == default or float(literal) == default


@pytest.mark.parametrize(("page", "table"), _marked("plug-ins"))
def test_tables_list_the_plug_ins(page, table):
    plug_ins, marker = imported(table), f"<!-- plug-ins of {table} -->"
    stated = [(*names_in(cell), text) for cell, text in rows_after(page, marker)]
    assert stated == [(name, plug_ins.load(name).help) for name in plug_ins.names()]


def test_every_recipe_has_its_table():
    documented = {name for _, name in _marked("defaults")}

    def parts(path: str) -> set[str]:
        found = {path}
        for field in imported(path).model_fields.values():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= parts(f"{kind.__module__}:{kind.__name__}")
        return found

    wanted = parts("screening.campaigns.config:CampaignConfig")
    wanted |= parts("workflows.recipes:ThermalConductivityRecipe")
    # What stands for plug-ins is documented by theirs.
    known = [imported(path) for path in documented]
    missing = {
        path for path in wanted if not any(issubclass(model, imported(path)) for model in known)
    }
    assert missing == {"screening.choosing.config:SurrogateConfig"}
    assert "screening.choosing.surrogates:SURROGATES" in {path for _, path in _marked("plug-ins")}


def test_machine_settings_are_all_listed():
    from screening.machine.settings import Settings

    rows = rows_after("docs/how-to/campaign-yaml.md", "<!-- settings -->")
    assert sorted(column(rows)) == sorted(
        f"SCREEN_{name.upper()}" for name in Settings.model_fields
    )
    for variable, default, _ in rows:
        field = Settings.model_fields[names_in(variable)[0].removeprefix("SCREEN_").lower()]
        assert default == ("unset" if field.default is None else f"`{field.default}`")


def test_indexes_are_listed():
    from screening.campaigns.indexes import indexes

    stated = [
        (names_in(collection)[0], names_in(keys), unique)
        for collection, keys, unique in rows_after("docs/data-model.md", "<!-- indexes -->")
    ]
    real = [
        (collection, [key for key, _ in keys], "yes" if unique else "no")
        for collection, wanted in indexes().items()
        for keys, unique in wanted
    ]
    assert sorted(stated) == sorted(real)


def test_constants_have_the_values_stated():
    for name, value, _ in rows_after("docs/architecture.md", "<!-- constants -->"):
        module, _, attribute = names_in(name)[0].rpartition(".")
        number = getattr(importlib.import_module(module), attribute)
        assert value == (f"{number:g} s" if attribute.endswith("_S") else str(number))


def test_objectives_engines_and_sources_named_are_the_known_ones():
    from screening.machine import shipped_configs as shipped
    from screening.targets.objectives import OBJECTIVES

    page = (ROOT / "docs/how-to/campaign-yaml.md").read_text("utf-8")
    engines = (ROOT / "docs/engines.md").read_text("utf-8")
    for name in (*OBJECTIVES.names(), *SOURCES.names()):
        assert name in page
    for name in shipped.names("engines"):
        assert f"`{name}`" in page
        assert f"`{name}`" in engines


def test_sources_are_listed_as_they_say_themselves():
    rows = rows_after("docs/how-to/add-a-source.md", "<!-- sources -->")
    known = [SOURCES.load(name) for name in SOURCES.names()]
    assert [(names_in(usage)[0], text) for usage, text in rows] == [
        (plug_in.usage, plug_in.help) for plug_in in known
    ]


# ----------------------------------------------------------------------------------- snippets


@pytest.mark.parametrize("fence", fences("python"), ids=lambda fence: fence.label[:40])
def test_python_compiles(fence):
    compile(fence.text, _id(fence.page), "exec")


def _written(fence: Fence, folder: Path) -> Path:
    assert fence.label.startswith("file: "), f"{_id(fence.page)}: a YAML without its file name"
    path = folder / fence.label.removeprefix("file: ")
    path.parent.mkdir(exist_ok=True)
    path.write_text(fence.text, "utf-8")
    return path


@pytest.mark.parametrize("fence", fences("yaml"), ids=lambda fence: fence.label)
def test_yaml_is_accepted(fence, tmp_path):
    from screening.campaigns.config import load_campaign_config
    from screening.queues.config import load_queue_config
    from screening.sources import open_source
    from screening.targets.engines import engine_config

    path = _written(fence, tmp_path)
    content = yaml.safe_load(fence.text)
    if "q_type" in content:
        load_queue_config(str(path))
        return
    if "calculator" in content:
        engine_config(str(path))
        return
    if "lattice" in content:
        pytest.importorskip("icet")
        open_source(f"orderings:{path}")
        return
    if "parent" in content:
        open_source(f"substitutions:{path}")
        return
    if content["objective"].startswith("lab."):
        return  # the guide of targets, which tests/test_extending.py follows
    load_campaign_config(str(path), {})


# --------------------------------------------------------- the data model, on a real database


@pytest.fixture
def finished(new_campaign, work):
    """A small campaign, computed to its end by the real loop: computed and unstable crystals."""
    campaign = new_campaign(
        CAMPAIGN,
        pool=25,
        budget=8,
        batch_size=4,
        sampler={"kind": "expected-improvement", "initial": 4},
        recipe={"unstable": ["Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"]},
    )
    work(campaign)
    assert campaign.is_exhausted()
    return campaign


def _queries(db: Any) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for fence in fences("python", page="docs/data-model.md"):
        if fence.label.startswith("query: "):
            namespace: dict[str, Any] = {"db": db}
            exec(compile(fence.text, fence.label, "exec"), namespace)
            found[fence.label.removeprefix("query: ")] = namespace["rows"]
    return found


def test_the_data_model_is_what_is_stored(finished, screen, program, capsys):
    database = finished.database
    db = database.results.database
    answers = _queries(db)
    assert set(answers) == {"ranked", "unstable", "picks", "not-computed", "cost"}
    picks = finished.picks()
    computed = {pick["candidate_id"] for pick in picks if pick["state"] == "computed"}
    unstable = [pick for pick in picks if pick["state"] == "unstable"]
    assert computed
    assert unstable

    values = [row["kappa_300k_w_per_m_k"] for row in answers["ranked"]]
    assert values == sorted(values)
    assert len(values) == len(computed)
    assert len(answers["unstable"]) == len(unstable)
    assert all(row["reason"] for row in answers["unstable"])
    modelled = [pick for pick in picks if pick["predicted_mean"] is not None]
    assert [row["number"] for row in answers["picks"]] == [pick["number"] for pick in modelled]
    for row, pick in zip(answers["picks"], modelled, strict=True):
        expected = finished.objective.from_model(pick["predicted_mean"])
        assert row["predicted_kappa_300k_w_per_m_k"] == pytest.approx(expected)
        assert (row.get("kappa_300k_w_per_m_k") is not None) == (row["state"] == "computed")
    computed = {pick["candidate_id"] for pick in picks}
    pool = database.candidates.find({"elements": "Ag"})
    left = sorted(each["_id"] for each in pool if each["_id"] not in computed)
    assert sorted(row["_id"] for row in answers["not-computed"]) == left
    assert [(row["_id"], row["results"], row["cost"]) for row in answers["cost"]] == [
        (CAMPAIGN, 8, 8)
    ]

    _check_fields(db)
    _run_the_cheap_commands(finished, screen)
    _run_the_preamble(capsys)


def _section(title: str) -> str:
    text = (ROOT / "docs/data-model.md").read_text("utf-8")
    return re.split(r"^## ", text.split(f"\n## {title}\n", 1)[1], flags=re.M)[0]


def _check_fields(db: Any) -> None:
    """Compare the documented fields of stored documents with real ones."""
    for collection in ("campaigns", "picks", "candidates"):
        section = _section(f"`{collection}`")
        documented = {
            name
            for line in section.splitlines()
            if line.startswith("| `")
            for name in names_in(line.split("|")[1])
        } | set(re.findall(r"also has `(\w+)`", section))
        stored = {key for document in db[collection].find() for key in document} - {"_id"}
        assert stored <= documented, f"{collection}: {sorted(stored - documented)} undocumented"
    page = (ROOT / "docs/data-model.md").read_text("utf-8")
    # Other tests leave empty collections in the database that they all share.
    filled = [name for name in db.list_collection_names() if db[name].find_one() is not None]
    for name in {filled_name.partition(".")[0] for filled_name in filled}:
        assert f"`{name}`" in page, f"collection {name} is undocumented"
    added = re.search(r"When it is stored, these are added: (.*?)\.\n", _section("`results`"), re.S)
    outputs = {"outcome", "reason", "formula", "cost", "cost_unit", "wall_s"}
    outputs |= {"kappa_300k_w_per_m_k", "kappa_300k_error_w_per_m_k"}
    stored = {key for document in db.results.find() for key in document} - {"_id"} - outputs
    assert stored == set(names_in(added[1])) - {"job_outputs"}


def _run_the_cheap_commands(campaign: Any, screen: Any) -> None:
    """Run the commands of the pages that only read, or only change a status."""
    substitutes = {"KCl": campaign.picks()[0]["candidate_id"]}
    ran = set()
    for _, words in screen_lines():
        if "--queue" in words:
            continue  # needs a cluster, which `make test-slurm` has
        if words[0] in {"status", "rank", "show", "doctor", "pause", "resume"}:
            answer = screen(*(substitutes.get(word, word) for word in words))
            assert answer.status == 0, f"screen {shlex.join(words)}: {answer.err}"
            ran.add(words[0])
    assert ran == {"status", "rank", "show", "doctor", "pause", "resume"}


def _run_the_preamble(capsys: Any) -> None:
    (preamble,) = [
        fence
        for fence in fences("python", page="docs/data-model.md")
        if "list_collection_names" in fence.text
    ]
    capsys.readouterr()
    exec(preamble.text, {})
    assert "picks" in capsys.readouterr().out
