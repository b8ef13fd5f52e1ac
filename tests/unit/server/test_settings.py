"""Settings: what they default to, what stops the start and in which words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from server.settings import Settings, SettingsError, read_settings, setting_names

API_NAMES = {
    "TOMATO_ENV",
    "TOMATO_HOST",
    "TOMATO_PORT",
    "TOMATO_DATA",
    "TOMATO_MODEL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "TOMATO_EMBEDDINGS",
    "TOMATO_KOREAN",
    "TOMATO_CHECKPOINTER",
    "TOMATO_HOT_SECONDS",
    "TOMATO_BACKUP_AT",
    "TOMATO_BACKUP_KEEP",
    "TOMATO_BACKUP_KEY",
    "TOMATO_MAX_MODEL_CALLS",
    "TOMATO_MAX_TOOL_CALLS",
    "TOMATO_TURN_SECONDS",
    "TOMATO_GRACE_SECONDS",
    "TOMATO_SUMMARY_AFTER_TOKENS",
    "TOMATO_SUMMARY_AFTER_TURNS",
    "TOMATO_WINDOW_TOKENS",
    "TOMATO_ORIGINS",
    "TOMATO_LOCAL_USER",
    "TOMATO_DAILY_TOKENS",
    "TOMATO_PRICE_INPUT",
    "TOMATO_PRICE_OUTPUT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "TOMATO_SESSION_IDLE_SECONDS",
    "TOMATO_SESSION_MAX_SECONDS",
    "TOMATO_RATE_LIMITS",
    "TOMATO_RATE_LOGIN_NAME",
    "TOMATO_RATE_LOGIN_ADDRESS",
    "TOMATO_RATE_REGISTER",
    "TOMATO_RATE_CHAT",
    "TOMATO_RATE_DRAFT",
    "TOMATO_REGISTRATION",
    "TOMATO_PASSWORD_TIME_COST",
    "TOMATO_PASSWORD_MEMORY_KIB",
    "TOMATO_PASSWORD_PARALLELISM",
    "TOMATO_TRUSTED_PROXIES",
    "TOMATO_RUNS_PER_USER",
    "TOMATO_RUNS_PER_PROCESS",
    "TOMATO_RUNS_QUEUE",
    "TOMATO_RUN_EVENTS",
    "TOMATO_LOG",
    "TOMATO_LOG_LEVEL",
    "TOMATO_MAX_FILE",
    "S3_ENDPOINT",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "S3_BUCKET",
    "S3_SECURE",
}


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def refusal(**given: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(Path("no-such-file"), **given)
    return str(caught.value)


def test_a_first_run_needs_nothing(dotenv: Path) -> None:
    settings = read_settings(dotenv)
    assert (settings.env, settings.host, settings.port) == ("dev", "127.0.0.1", 8000)
    assert settings.model_name == "offline"
    assert settings.local_user_on
    assert settings.database_path == Path("data/tomato.db")
    assert (settings.max_model_calls, settings.max_tool_calls) == (8, 16)
    assert settings.turn_seconds == 120


def test_every_name_of_the_contract_is_read() -> None:
    assert setting_names() >= API_NAMES


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOMATO_PORT", "8123"), ("TOMATO_ORIGINS", "https://a.example, http://b.example:81")],
)
def test_the_environment_is_read(
    monkeypatch: pytest.MonkeyPatch, dotenv: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settings = read_settings(dotenv)
    if name == "TOMATO_PORT":
        assert settings.port == 8123
    else:
        assert settings.origins == ("https://a.example", "http://b.example:81")


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, dotenv: Path
) -> None:
    dotenv.write_text("TOMATO_PORT=1001\nTOMATO_HOST=0.0.0.0\nTOMATO_MAX_MODEL_CALLS=5\n")
    monkeypatch.setenv("TOMATO_HOST", "127.0.0.2")
    settings = read_settings(dotenv, port=1003)
    assert (settings.port, settings.host, settings.max_model_calls) == (1003, "127.0.0.2", 5)


def test_prod_reads_no_file(monkeypatch: pytest.MonkeyPatch, dotenv: Path) -> None:
    dotenv.write_text("TOMATO_PORT=1001\n")
    monkeypatch.setenv("TOMATO_ENV", "prod")
    settings = read_settings(dotenv)
    assert settings.port == 8000
    assert not settings.local_user_on


def test_an_unknown_name_is_named_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, dotenv: Path
) -> None:
    monkeypatch.setenv("TOMATO_PROT", "1")
    assert refusal() == "TOMATO_PROT is not a setting of Tomato; did you mean TOMATO_PORT?"


def test_an_unknown_name_in_the_file_is_refused_too(dotenv: Path) -> None:
    dotenv.write_text("TOMATO_토마토=1\n")
    with pytest.raises(SettingsError, match="TOMATO_토마토 is not a setting"):
        read_settings(dotenv)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOMATO_PORT", "abc"),
        ("TOMATO_PORT", "65536"),
        ("TOMATO_ENV", "test"),
        ("TOMATO_MODEL", "gpt-5"),
        ("TOMATO_MODEL", "openai:"),
        ("TOMATO_ORIGINS", "*"),
        ("TOMATO_ORIGINS", "https://a.example/path"),
        ("TOMATO_LOCAL_USER", "perhaps"),
        ("TOMATO_MAX_MODEL_CALLS", "1"),
        ("TOMATO_TURN_SECONDS", "-1"),
        ("TOMATO_CHECKPOINTER", "postgres"),
        ("OPENAI_BASE_URL", "localhost:11434"),
    ],
)
def test_a_bad_value_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    sentence = refusal()
    assert sentence.startswith(f"{name} has a bad value: ")
    assert "\n" not in sentence


def test_an_analyser_that_is_not_installed_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.settings.find_spec", lambda name: None)
    monkeypatch.setenv("TOMATO_KOREAN", "kiwi")
    assert "TOMATO_KOREAN=kiwi needs the extra 'korean'" in refusal()


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch, dotenv: Path) -> None:
    monkeypatch.setenv("TOMATO_MODEL", "")
    monkeypatch.setenv("S3_BUCKET", "")
    assert read_settings(dotenv).model_name == "offline"


def test_a_secret_is_never_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("TOMATO_PORT", "x")
    assert "very-secret" not in refusal()
    assert "very-secret" not in repr(Settings(openai_api_key=SecretStr("sk-very-secret")))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "offline"),
        ({"openai_api_key": SecretStr("k")}, "openai:"),
        ({"openai_base_url": "http://127.0.0.1:11434/v1"}, "openai:"),
        ({"openai_api_key": SecretStr("k"), "model": "offline"}, "offline"),
        ({"model": "openai:qwen3"}, "openai:qwen3"),
    ],
)
def test_the_model_follows_what_is_there(given: dict[str, object], name: str) -> None:
    assert Settings.model_validate(given).model_name.startswith(name)


@pytest.mark.parametrize(
    ("given", "checkpointer", "uses_file", "storage"),
    [
        ({}, "sqlite", True, "SQLite data/tomato.db"),
        ({"redis_url": "redis://h"}, "redis", True, "SQLite data/tomato.db with Redis"),
        ({"mongodb_url": "mongodb://u:secret@h/d"}, "mongo", False, "MongoDB"),
        ({"mongodb_url": "mongodb://h/d", "checkpointer": "sqlite"}, "sqlite", True, "MongoDB"),
        (
            {"mongodb_url": "mongodb://h/d", "redis_url": "redis://h", "checkpointer": "mongo"},
            "mongo",
            False,
            "MongoDB with Redis",
        ),
        (
            {"mongodb_url": "mongodb://h/d", "redis_url": "redis://h", "checkpointer": "redis"},
            "redis",
            False,
            "MongoDB with Redis",
        ),
    ],
)
def test_storage_follows_the_urls(
    given: dict[str, object], checkpointer: str, uses_file: bool, storage: str
) -> None:
    settings = Settings.model_validate(given)
    assert settings.checkpointer_name == checkpointer
    assert settings.uses_file == uses_file
    assert settings.storage == storage


@pytest.mark.parametrize(("name", "url"), [("mongo", "MONGODB_URL"), ("redis", "REDIS_URL")])
def test_a_checkpointer_needs_its_server(name: str, url: str) -> None:
    assert refusal(checkpointer=name) == f"TOMATO_CHECKPOINTER={name} needs {url}."


def test_object_storage_needs_its_keys() -> None:
    sentence = refusal(s3_endpoint="s3.example:9000", s3_access_key="key")
    assert sentence == "S3_ENDPOINT needs S3_ACCESS_KEY and S3_SECRET_KEY."


def test_prod_refuses_the_local_user() -> None:
    assert refusal(env="prod", local_user=True).startswith("TOMATO_LOCAL_USER must be off")


def test_old_turns_are_summarized_before_they_leave_the_window() -> None:
    assert Settings(window_tokens=400).folding_tokens == 300
    assert refusal(window_tokens=400, summary_after_tokens=500).startswith(
        "TOMATO_SUMMARY_AFTER_TOKENS must not be above"
    )


def test_what_is_nowhere_else_may_be_a_secret_file(
    monkeypatch: pytest.MonkeyPatch, dotenv: Path, tmp_path: Path
) -> None:
    (tmp_path / "openai_api_key").write_text("key-of-the-file\n")
    (tmp_path / "mongodb_url").write_text("mongodb://mongodb/tomato")
    monkeypatch.setenv("MONGODB_URL", "mongodb://elsewhere/tomato")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    settings = read_settings(dotenv, tmp_path)
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "key-of-the-file"
    assert settings.mongodb_url is not None
    assert settings.mongodb_url.get_secret_value() == "mongodb://elsewhere/tomato"
