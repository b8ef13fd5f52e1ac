"""What `infra/` says of settings, and that its files are what their readers expect."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from memory.redis.inspection import full
from server.metrics import Metrics
from server.settings import setting_names

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
BIN = Path(sys.executable).parent


def exampled() -> set[str]:
    text = (INFRA / "env.example").read_text()
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))


def test_the_example_names_every_setting_and_no_other() -> None:
    assert exampled() == setting_names()


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", "compose.yaml"),
        ("vendor.compose-spec", "compose.dev.yaml"),
        ("vendor.compose-spec", "compose.prod.yaml"),
        ("vendor.github-workflows", "github-workflow.yaml"),
    ],
)
def test_a_file_has_the_shape_of_its_kind(schema: str, file: str) -> None:
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", schema, INFRA / file]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "infra/Dockerfile"],
        ["shellcheck", "infra/deploy.sh", "infra/rollback.sh", ".ci/run"],
        ["zizmor", "--offline", "--config=infra/zizmor.yaml", "infra/github-workflow.yaml"],
    ],
    ids=lambda command: command[0],
)
def test_a_linter_finds_nothing(command: list[str]) -> None:
    checked = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_redis_as_we_ship_it_is_as_the_doctor_wants_it() -> None:
    shipped = (INFRA / "compose.prod.yaml").read_text()
    (policy,) = re.findall(r"--maxmemory-policy (\S+)", shipped)
    assert full(512 * 2**20, policy).level == "ok"


def test_nothing_is_set_that_is_no_setting() -> None:
    for file in (*INFRA.glob("compose*.yaml"), *INFRA.glob("*.sh"), INFRA / "Jenkinsfile"):
        named = set(re.findall(r"\b(TOMATO_[A-Z_]+|S3_[A-Z_]+)\b", file.read_text()))
        assert named <= setting_names(), file.name


@pytest.mark.parametrize("file", ["grafana-dashboard.json", "alerts.yaml"])
def test_only_what_is_measured_is_shown(file: str) -> None:
    text = (INFRA / file).read_text()
    shown = set(re.findall(r"\b(tomato_[a-z_]+)", text))
    assert shown
    assert {name.removesuffix("_bucket") for name in shown} <= measured()


def test_the_dashboard_shows_all_that_is_measured_in_panels_that_do_not_overlap() -> None:
    panels = json.loads((INFRA / "grafana-dashboard.json").read_text())["panels"]
    asked = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    ours = {one for one in measured() if re.match(r"tomato_.*(?<!_created)$", one)}
    assert {name for name in ours if name not in asked} == set()
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in panels}) == len(panels)


def measured() -> set[str]:
    """The names under which metrics are asked for; those of histograms without their endings."""
    exported = generate_latest(Metrics("offline", ()).registry).decode()
    return set(re.findall(r"^# TYPE (\S+)", exported, re.MULTILINE))
