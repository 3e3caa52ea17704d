"""Campaign YAML: what is refused, in which words; what shapes the recipe's fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from importlib import resources

import pytest
import yaml
from campaign_fixtures import toy_content

from screening.campaigns.config import CampaignConfig, load_campaign_config
from screening.machine import shipped_configs as shipped
from screening.messages.errors import ScreenError
from screening.targets.engines import (
    EngineConfig,
    build_engine,
    engine_config,
    parse_engine,
    require_engine,
)

KAPPA = {
    "objective": "lattice-thermal-conductivity",
    "engine": "emt",
    "sources": ["crystals"],
    "budget": 4,
    "batch_size": 2,
}


@pytest.fixture
def write(tmp_path):
    def write(content) -> str:
        path = tmp_path / "campaign.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return write


def complaint(target: str, **overrides) -> str:
    with pytest.raises(ScreenError) as caught:
        load_campaign_config(target, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", shipped.names("targets"))
def test_shipped_targets_are_valid(name):
    config = load_campaign_config(name, {})
    assert config.target == name
    assert config.description
    assert config.engine in shipped.names("engines")


@pytest.mark.parametrize("name", shipped.names("engines"))
def test_shipped_engines_are_valid(name):
    config = engine_config(name)
    assert config.name == name
    assert config.description
    assert config.licence


def test_the_command_line_beats_the_file_where_it_says_something(write):
    path = write(KAPPA)
    config = load_campaign_config(path, {"budget": 9, "seed": None, "engine": "sevennet-0"})
    assert (config.budget, config.seed, config.engine) == (9, 0, "sevennet-0")
    assert config.batch_size == 2
    assert config.target == path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budgett": 3}, ["budgett", "unknown", "did you mean 'budget'?"]),
        ({"wholly_else": 3}, ["wholly_else", "unknown", "known:", "batch_size"]),
        ({"budget": 0}, ["field 'budget' must be greater than 0, not 0"]),
        ({"budget": "many"}, ["'budget'", "many"]),
        ({"batch_size": -1}, ["'batch_size'", "-1"]),
        ({"seed": -1}, ["'seed'"]),
        ({"sources": []}, ["'sources'"]),
        (
            {"direction": "sideways"},
            ["field 'direction' must be 'minimize' or 'maximize', not 'sideways'"],
        ),
        ({"sampler": {"kindd": "random"}}, ["'sampler.kindd'", "did you mean 'kind'?"]),
        ({"sampler": {"kind": "clever"}}, ["'sampler.kind'", "greedy", "clever"]),
        ({"filters": {"max_site": 3}}, ["'filters.max_site'", "did you mean 'max_sites'?"]),
        ({"filters": {"space_groups": [0]}}, ["'filters.space_groups.0'", "not 0"]),
        ({"filters": {"include_elements": ["Xx"]}}, ["'Xx' is not the symbol of an element"]),
        ({"objective": "tastiness"}, ["objective 'tastiness'", "lattice-thermal-conductivity"]),
        ({"recipe": {"phonon": {}}}, ["recipe", "'phonon'", "did you mean 'phonons'?"]),
        (
            {"recipe": {"phonons": {"max_atom": 3}}},
            ["recipe", "'phonons.max_atom'", "did you mean 'max_atoms'?"],
        ),
        ({"recipe": {"phonons": {"max_atoms": 0}}}, ["recipe", "'phonons.max_atoms'", "not 0"]),
        ({"recipe": {"transport": {"mesh_lengths_a": [9, 6, 12]}}}, ["mesh_lengths_a", "three"]),
        ({"recipe": {"transport": {"temperatures_k": [100]}}}, ["must contain 300.0"]),
        ({"recipe": 3}, ["'recipe'", "not 3"]),
    ],
)
def test_a_wrong_field_is_named_with_the_remedy(write, changes, said):
    path = write(KAPPA | changes)
    message = complaint(path)
    assert message.startswith((f"target '{path}'", "objective"))
    for part in said:
        assert part in message


def test_what_a_message_says_itself_is_not_repeated(write):
    message = complaint(write(KAPPA | {"filters": {"include_elements": ["Xx"]}}))
    assert message.endswith("'filters.include_elements.0': 'Xx' is not the symbol of an element")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"budget": 0}, "--budget must be greater than 0, not 0"),
        ({"batch_size": -1}, "--batch-size must be greater than 0, not -1"),
    ],
)
def test_a_wrong_option_is_named_as_such(write, overrides, said):
    assert complaint(write(KAPPA), **overrides) == said


@pytest.mark.parametrize("field", ["objective", "engine", "sources", "budget", "batch_size"])
def test_a_missing_field_is_named(write, field):
    content = {key: value for key, value in KAPPA.items() if key != field}
    assert complaint(write(content)).endswith(f"field '{field}' is missing")


def test_a_misspelt_field_is_named_before_what_it_leaves_missing(write):
    content = {"budgett" if key == "budget" else key: value for key, value in KAPPA.items()}
    assert complaint(write(content)).endswith("'budgett' is unknown; did you mean 'budget'?")


def test_an_unknown_target_is_answered_with_the_known_ones():
    message = complaint("hi-kappa")
    assert message.startswith("target 'hi-kappa': unknown")
    assert "low-kappa" in message


@pytest.mark.parametrize("name", ["nope.yaml", "nope.yml", "folder.yaml"])
def test_a_path_without_a_file_is_said_to_be_missing(tmp_path, name):
    (tmp_path / "folder.yaml").mkdir()
    path = str(tmp_path / name)
    assert complaint(path) == f"file '{path}' not found"


def test_a_file_named_without_its_ending_is_suggested(write):
    stem = write(KAPPA).removesuffix(".yaml")
    assert complaint(stem) == f"target '{stem}': unknown; did you mean '{stem}.yaml'?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget: 3\n  batch_size: 2\n", "no valid YAML at line 2"),
        ("- budget\n- 3\n", "expected a YAML mapping"),
        ("", "expected a YAML mapping"),
        ("just words", "expected a YAML mapping"),
        ("1: 2", "field"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(write, text, said):
    path = write(text)
    message = complaint(path)
    assert path in message
    assert said in message


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_bytes(b"\x1f\x8b\x08\xff\xfe")
    assert str(path) in complaint(str(path))


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: f"\ufeff{text}".encode(),
        lambda text: f"\ufeff{text}".replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.encode("utf-16"),
    ],
)
def test_a_yaml_of_another_system(tmp_path, monkeypatch, encode):
    monkeypatch.setenv("HOME", str(tmp_path))
    text = (resources.files("configs") / "targets" / "low-kappa.yaml").read_text("utf-8")
    (tmp_path / "mine.yaml").write_bytes(encode(text))
    found = load_campaign_config("~/mine.yaml", {})
    assert found.objective == load_campaign_config("low-kappa", {}).objective


def test_a_yaml_that_is_no_utf8_says_where(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_bytes("description: schön\n".encode("latin-1"))
    assert "it is not text in UTF-8 (byte 17 is 0xf6); save it as UTF-8" in complaint(str(path))


def test_a_yaml_tag_runs_no_code(write, tmp_path):
    text = f"budget: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n"
    assert "no valid YAML" in complaint(write(text))
    assert not (tmp_path / "made").exists()


# ---------------------------------------------------------------------------------- engines


def test_an_unknown_engine_is_answered_with_the_known_ones():
    with pytest.raises(ScreenError, match=r"engine 'emtt': unknown; known: chgnet, .*sevennet-0"):
        engine_config("emtt")


def test_an_engine_of_ones_own(write):
    path = write({"name": "mine", "calculator": "ase.calculators.lj.LennardJones"})
    config = engine_config(path)
    assert build_engine(config).name == "mine"
    assert config.supported_elements() is None


class ConstantConfig(EngineConfig):
    """A kind of engine of another package."""

    help = "Always the same energy."
    energy_ev: float


def test_a_kind_of_engine_by_its_import_path(write):
    config = engine_config(
        write({"name": "mine", "kind": f"{__name__}:ConstantConfig", "energy_ev": 1.5})
    )
    assert isinstance(config, ConstantConfig)
    assert parse_engine(config.model_dump(mode="json"), "stored") == config
    with pytest.raises(ScreenError, match="energy_ev"):
        engine_config(write({"name": "mine", "kind": f"{__name__}:ConstantConfig"}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"calculatr": "x"}, "field 'calculatr' is unknown; did you mean 'calculator'?"),
        ({"kind": "magic"}, "kind of engine 'magic': unknown; known: ase, "),
        (
            {"calculator": "not_there.Calculator", "install_hint": "run: pip install not-there"},
            "engine 'mine' cannot run: Python package 'not_there' is not installed; "
            "run: pip install not-there",
        ),
    ],
)
def test_a_wrong_engine_is_explained(write, changes, said):
    path = write({"name": "mine", "calculator": "ase.calculators.emt.EMT"} | changes)
    with pytest.raises(ScreenError) as caught:
        require_engine(engine_config(path))
    assert said in str(caught.value)


# ------------------------------------------------------------------------------ fingerprints


def recipe_hash(engine=None, **changes) -> str:
    config = CampaignConfig.model_validate({"target": "t"} | KAPPA | changes)
    return config.recipe_hash(engine or engine_config("emt").fingerprint())


def test_the_fingerprint_ignores_what_shapes_no_number():
    spelled_out = {"phonons": {"max_atoms": 128}}
    assert recipe_hash(recipe=spelled_out) == recipe_hash()
    assert recipe_hash(budget=99, seed=5, sampler={"kind": "random"}) == recipe_hash()
    described = engine_config("emt").model_copy(update={"name": "my-emt", "description": "same"})
    assert recipe_hash(described.fingerprint()) == recipe_hash()


def test_the_fingerprint_sees_what_shapes_a_number():
    different = {
        recipe_hash(),
        recipe_hash(recipe={"phonons": {"max_atoms": 64}}),
        recipe_hash(recipe={"transport": {"isotopes": False}}),
        recipe_hash(engine_config("sevennet-0").fingerprint()),
        recipe_hash(engine_config("sevennet-0").fingerprint() | {"arguments": {"model": "x"}}),
    }
    assert len(different) == 5


def fingerprint_of(**arguments) -> dict:
    content = {"name": "mine", "calculator": "ase.calculators.lj.LennardJones"}
    return parse_engine(content | {"arguments": arguments}, "mine").fingerprint()


def test_a_model_file_counts_by_its_content(tmp_path, monkeypatch):
    model, copy = tmp_path / "model.pth", tmp_path / "deeper" / "copy.pt"
    model.write_bytes(b"weights")
    copy.parent.mkdir()
    copy.write_bytes(b"weights")
    first = fingerprint_of(model=str(model))
    assert fingerprint_of(model=str(copy)) == first
    monkeypatch.chdir(tmp_path)
    assert fingerprint_of(model="model.pth") == first
    assert fingerprint_of(heads=[{"file": str(copy)}]) == fingerprint_of(
        heads=[{"file": "model.pth"}]
    )
    model.write_bytes(b"WEIGHTS")
    os.utime(model, ns=(0, copy.stat().st_mtime_ns + 1))
    assert fingerprint_of(model=str(model)) != first


def test_a_model_folder_counts_by_its_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "weights").write_bytes(b"weights")
    first = fingerprint_of(model=str(tmp_path / "one"))
    assert fingerprint_of(model=str(tmp_path / "two")) == first
    (tmp_path / "two" / "inner" / "weights").rename(tmp_path / "two" / "inner" / "biases")
    assert fingerprint_of(model=str(tmp_path / "two")) != first


def test_a_model_file_is_read_once(tmp_path, monkeypatch):
    model = tmp_path / "model.pth"
    model.write_bytes(b"weights")
    first = fingerprint_of(model=str(model))
    monkeypatch.setattr("hashlib.file_digest", None)
    assert fingerprint_of(model=str(model)) == first


def test_arguments_that_name_no_file_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "medium").mkdir()
    (tmp_path / "cpu").touch()
    arguments = {"model": "medium", "device": "cpu", "file": "/not/there.pth", "rc": 5.0, "n": [1]}
    expected = {"kind": "ase", "calculator": "ase.calculators.lj.LennardJones"}
    assert fingerprint_of(**arguments) == expected | {"arguments": arguments}


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("emt", "49fb7e1e3cbb"),
        ("sevennet-l3i5", "b58cd5263720"),
        ("gpaw-fast", "c0812073e41a"),
        ("vasp-standard", "4084aac54be7"),
    ],
)
def test_fingerprints_of_shipped_engines_stay(name, digest):
    content = json.dumps(engine_config(name).fingerprint(), sort_keys=True)
    assert hashlib.sha256(content.encode()).hexdigest()[:12] == digest


def test_a_stored_configuration_is_read_back_as_it_was(toy):
    config = CampaignConfig.model_validate(toy_content(recipe={"steps": 2}, seed=3))
    assert CampaignConfig.model_validate(config.model_dump(mode="json")) == config


def test_retries_may_not_change_what_is_computed(write):
    path = write("name: mine\nkind: gpaw\nretries: [{smearing_ev: 0.1}]\n")
    with pytest.raises(ScreenError, match="smearing_ev would change the result of one supercell"):
        engine_config(path)
