"""The command line: help, banners, refusals."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from server.cli import banner, main
from server.settings import Settings


def test_help_names_the_commands() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    assert "serve" in shown.output
    assert "chat" in shown.output


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("tomato, version 0.")


def test_the_banner_says_address_model_storage_and_who_may_ask() -> None:
    first, second = banner(Settings(data=Path("/d"), host="::1"), 8001).splitlines()
    assert "http://[::1]:8001" in first
    assert "model: offline (no network)" in first
    assert "storage: SQLite /d/tomato.db" in first
    assert second.startswith("Local user: on")


def test_the_banner_shows_no_secret_and_no_local_user_where_there_is_none() -> None:
    settings = Settings(env="prod", openai_api_key=SecretStr("sk-secret"))
    (line,) = banner(settings, 8000).splitlines()
    assert "model: openai:" in line
    assert "secret" not in line


@pytest.mark.parametrize("command", ["serve", "chat"])
def test_a_bad_setting_is_one_sentence_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("TOMATO_PROT", "1")
    shown = CliRunner().invoke(main, [command])
    assert shown.exit_code == 1
    assert shown.output == (
        "Error: TOMATO_PROT is not a setting of Tomato; did you mean TOMATO_PORT?\n"
    )


def test_reload_takes_its_data_folder_from_the_environment() -> None:
    shown = CliRunner().invoke(main, ["serve", "--reload", "--data", "x"])
    assert shown.exit_code == 2
    assert "TOMATO_DATA" in shown.output
