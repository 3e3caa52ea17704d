"""Files around the code: compose file, image, continuous integration, hooks, citation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def test_compose_keeps_its_secrets_outside():
    text = (ROOT / "docker-compose.yml").read_text()
    services = yaml.safe_load(text)["services"]
    assert set(services) == {"mongo", "worker"}
    for name, service in services.items():
        for variable, value in service["environment"].items():
            if re.search("PASSWORD|URI", variable):
                assert "${" in value, f"{name}: {variable} is written out"
    assert not re.search(r"://[^$\s/]+:[^$\s/]+@", text)
    assert services["mongo"]["image"].startswith("mongo:8")
    assert services["mongo"]["ports"][0].startswith("127.0.0.1:")
    assert services["mongo"]["healthcheck"]["test"]
    assert services["worker"]["depends_on"]["mongo"]["condition"] == "service_healthy"
    volumes = set(yaml.safe_load(text)["volumes"])
    mounted = {each for service in services.values() for each in service["volumes"]}
    files = {each for each in mounted if each.startswith("./")}
    assert {each.partition(":")[0] for each in mounted - files} == volumes
    for each in files:
        assert each.endswith(":ro")
        assert (ROOT / each.partition(":")[0]).is_file()


def test_workers_in_containers_are_no_root_of_the_database():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    address = services["worker"]["environment"]["SCREEN_MONGODB_URI"]
    assert address.startswith("mongodb://screen:${SCREEN_PASSWORD}@mongo:27017/")
    assert "ROOT" not in str(services["worker"])
    script = (ROOT / "docker/create-users.js").read_text()
    made = dict(re.findall(r'^create\("(\w+)", "\w+", \[(.*)\]\);$', script, re.M))
    assert made == {"screen": '"readWrite", "dbAdmin"', "reader": '"read"'}
    variables = set(re.findall(r'process\.env\.(\w+)|create\("\w+", "(\w+)"', script))
    assert {name for pair in variables for name in pair if name} <= set(
        services["mongo"]["environment"]
    )


def test_the_example_environment_names_every_variable_and_no_password():
    example = (ROOT / ".env.example").read_text()
    assigned = re.findall(r"^(\w+PASSWORD)=(.*)$", example, re.M)
    assert [value for _, value in assigned] == ["", "", ""]
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert used == set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.M))
    page = (ROOT / "docs/how-to/docker-compose.md").read_text("utf-8")
    assert all(f"`{name}`" in page for name in used)


def test_image_and_makefile_agree():
    dockerfile = (ROOT / "Dockerfile").read_text()
    makefile = (ROOT / "Makefile").read_text()
    version = re.search(r"TORCH_VERSION := (\S+)", makefile)[1]
    assert f"ARG TORCH_VERSION={version}" in dockerfile
    copied = re.findall(r"^COPY (.+) \S+$", dockerfile, re.M)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}\n" in (ROOT / ".dockerignore").read_text()


def test_citation_and_project_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    physics = (ROOT / "docs/physics.md").read_text("utf-8")
    for reference in citation["references"]:
        assert f"https://doi.org/{reference['doi']})" in physics


def test_hooks_are_local():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]


@pytest.mark.parametrize(
    ("closing", "status", "passes"),
    [
        ("===== 12 passed, 1 skipped in 3.20s =====", 0, True),
        ("===== 12 passed in 63.20s (0:01:03) =====", 0, True),
        ("===== 1 failed, 12 passed in 3.20s =====", 2, False),
        ("===== no tests ran in 0.01s =====", 2, False),
        ("===== no tests ran in 0.01s =====", 0, False),
        ("===== 3 skipped in 0.01s =====", 0, False),
        ("nothing at all", 0, False),
    ],
)
def test_ci_believes_only_a_suite_that_passed(tmp_path, closing, status, passes):
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    (tmp_path / ".ci").mkdir()
    shutil.copy(script, tmp_path / ".ci" / "run")
    tools = tmp_path / "bin"
    tools.mkdir()
    make = tools / "make"
    make.write_text(f'#!/bin/sh\n[ "$1" = test ] || exit 0\necho "{closing}"\nexit {status}\n')
    make.chmod(0o755)
    # What it installs elsewhere is there already: the verdict is what is tested.
    apt_get = tools / "apt-get"
    apt_get.write_text("#!/bin/sh\nexit 0\n")
    apt_get.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        [tmp_path / ".ci" / "run"], env=environment, capture_output=True, text=True, timeout=600
    )
    assert (done.returncode == 0) is passes, done.stdout + done.stderr
    if passes:
        assert done.stdout.splitlines()[-1] == closing
