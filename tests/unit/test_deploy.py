"""The scripts that put a tag into service and back, with a stand-in for Docker."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"

DOCKER = """#!/usr/bin/env bash
# Images are lines of a file; a tag that begins with "bad" never gets healthy.
echo "${IMAGE_TAG:-} $*" >>"$0.log"
case "$*" in
    "image inspect tomato:"*) grep -qxF "${3#tomato:}" "$0.images" ;;
    "image ls tomato "*) cat "$0.images" ;;
    "image rm tomato:"*) grep -vxF "${3#tomato:}" "$0.images" >"$0.new"; mv "$0.new" "$0.images" ;;
    *" build tomato") echo "$IMAGE_TAG" >>"$0.images" ;;
    *" up "*) [[ $IMAGE_TAG != bad* ]] ;;
esac
"""


class Machine:
    """A folder with the scripts, and Docker's stand-in."""

    def __init__(self, folder: Path) -> None:
        self.infra = folder / "infra"
        self.infra.mkdir()
        for script in ("deploy.sh", "rollback.sh"):
            shutil.copy(INFRA / script, self.infra)
        self.docker = folder / "bin/docker"
        self.docker.parent.mkdir()
        self.docker.write_text(DOCKER)
        self.docker.chmod(0o755)
        self._images.write_text("latest\n")

    @property
    def _images(self) -> Path:
        return self.docker.with_name("docker.images")

    @property
    def images(self) -> set[str]:
        return set(self._images.read_text().split())

    @property
    def in_service(self) -> str:
        """The tag that was brought up last."""
        log = self.docker.with_name("docker.log").read_text().splitlines()
        return [line.split()[0] for line in log if " up " in line][-1]

    def run(self, script: str, *arguments: str, code: int = 0) -> str:
        path = f"{self.docker.parent}:/usr/bin:/bin"
        environment = {"PATH": path, "OPENAI_API_KEY": "sk-of-its-own", "KEEP_IMAGES": "3"}
        ran = subprocess.run(
            [self.infra / script, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_deployment_makes_every_secret_that_compose_names(machine: Machine) -> None:
    assert "1 is in service" in machine.run("deploy.sh", "1")
    secrets = {path.name: path.read_text() for path in (machine.infra / "secrets").iterdir()}
    text = (INFRA / "compose.prod.yaml").read_text()
    assert {f"    file: ./secrets/{name}\n" in text for name in secrets} == {True}
    assert text.count("file: ./secrets/") == len(secrets)
    assert all(secrets.values())
    assert secrets["mongodb_password"].strip() in secrets["mongodb_url"]
    assert os.stat(machine.infra / "secrets").st_mode & 0o77 == 0
    machine.run("deploy.sh", "2")
    again = {path.name: path.read_text() for path in (machine.infra / "secrets").iterdir()}
    assert again == secrets


def test_only_old_images_of_its_own_go(machine: Machine) -> None:
    for tag in ("1", "2", "3", "3", "3", "4"):
        machine.run("deploy.sh", tag)
    assert machine.images == {"2", "3", "4", "latest"}
    log = machine.docker.with_name("docker.log").read_text()
    pruned = [line for line in log.splitlines() if "prune" in line]
    assert pruned
    assert all("label=com.docker.compose.project=tomato" in line for line in pruned)
    assert all("--remove-orphans" in line for line in log.splitlines() if " up " in line)


def test_what_is_not_healthy_goes_back_by_itself(machine: Machine) -> None:
    machine.run("deploy.sh", "bad-1", code=1)
    machine.run("deploy.sh", "1")
    assert "going back" in machine.run("deploy.sh", "bad-2", code=1)
    assert machine.in_service == "1"


def test_each_rollback_goes_further_back(machine: Machine) -> None:
    for tag in ("1", "2", "3"):
        machine.run("deploy.sh", tag)
    for tag in ("2", "1"):
        machine.run("rollback.sh")
        assert machine.in_service == tag
    assert "no tag before 1" in machine.run("rollback.sh", code=1)
    machine.run("deploy.sh", "4")
    machine.run("rollback.sh", "1")
    assert machine.in_service == "1"
    assert "not here any more" in machine.run("rollback.sh", "9", code=1)
