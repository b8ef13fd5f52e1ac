"""Every setting, read here and nowhere else; knows the environment, builds nothing."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from memory.retention import Keep
from server.safety import unsafe_in_prod

PREFIX = "TOMATO_"
DOTENV = Path(".env")
SECRETS = Path("/run/secrets")
DEFAULT_OPENAI_MODEL = "openai:gpt-5-mini"


class SettingsError(Exception):
    """A setting stops the start; ``str(error)`` is one sentence that names it."""


def _known_model(value: str) -> str:
    if not re.fullmatch(r"offline|openai:\S{1,200}", value):
        raise ValueError("it must be 'offline' or 'openai:<model name>'")
    return value


def _known_embeddings(value: str) -> str:
    if not re.fullmatch(r"openai:\S{1,200}", value):
        raise ValueError("it must be 'openai:<model name>'")
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@*,]+", value):
        raise ValueError("each must be like https://app.example.com, with no path and no wildcard")
    return value.lower()


def _http_url(value: str) -> str:
    if not re.match(r"https?://[^\s/]", value):
        raise ValueError("it must begin with http:// or https://")
    return value


def _by_commas(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _rate(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,8} per ([1-9]\d{0,3} )?(second|minute|hour|day)s?", value):
        raise ValueError("it must be like '10 per 5 minutes'")
    return value


def _daily(value: str) -> str:
    time, _, zone = value.partition(" ")
    try:
        ZoneInfo(zone or "UTC")
        known = re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", time)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        known = None
    if known is None:
        raise ValueError("it must be like '03:00' (UTC) or '03:00 Asia/Seoul'")
    return value


def _keep(value: str) -> str:
    Keep.parse(value)
    return value


def _backup_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 8:
        raise ValueError("it must have at least 8 characters")
    return value


Rate = Annotated[str, AfterValidator(_rate)]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_by_commas)
]


class Settings(BaseModel):
    """The settings as plain values; making one reads nothing."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    env: Literal["dev", "prod"] = "dev"
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8000, ge=0, le=65535)
    data: Path = Path("data")
    local_user: bool | None = None
    origins: Origins = ()

    model: Annotated[str, AfterValidator(_known_model)] | None = None
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY")
    openai_base_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, validation_alias="OPENAI_BASE_URL"
    )

    embeddings: Annotated[str, AfterValidator(_known_embeddings)] | None = None
    korean: Literal["ngrams", "kiwi"] = "ngrams"

    mongodb_url: SecretStr | None = Field(None, validation_alias="MONGODB_URL")
    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    s3_endpoint: str | None = Field(None, validation_alias="S3_ENDPOINT")
    s3_access_key: SecretStr | None = Field(None, validation_alias="S3_ACCESS_KEY")
    s3_secret_key: SecretStr | None = Field(None, validation_alias="S3_SECRET_KEY")
    s3_bucket: str = Field("tomato", min_length=3, max_length=63, validation_alias="S3_BUCKET")
    s3_secure: bool = Field(True, validation_alias="S3_SECURE")
    max_file: int = Field(20 * 1024 * 1024, ge=1, le=1024**4)
    checkpointer: Literal["sqlite", "mongo", "redis"] | None = None
    hot_seconds: int = Field(86_400, ge=0, le=31_536_000)
    backup_at: Annotated[str, AfterValidator(_daily)] | None = None
    backup_keep: Annotated[str, AfterValidator(_keep)] = "7d 4w 6m"
    backup_key: Annotated[SecretStr, AfterValidator(_backup_key)] | None = None
    max_model_calls: int = Field(8, ge=2, le=1000)
    max_tool_calls: int = Field(16, ge=1, le=1000)
    turn_seconds: float = Field(120, gt=0, le=3600)
    window_tokens: int = Field(8_000, ge=100)
    summary_after_tokens: int | None = Field(None, ge=75)
    summary_after_turns: int = Field(40, ge=2, le=10_000)

    registration: bool = True
    session_idle_seconds: float = Field(604_800, ge=1, le=31_536_000)
    session_max_seconds: float = Field(2_592_000, ge=1, le=31_536_000)
    password_time_cost: int = Field(2, ge=1, le=20)
    password_memory_kib: int = Field(19_456, ge=8, le=4_194_304)
    password_parallelism: int = Field(1, ge=1, le=16)
    rate_limits: bool = True
    rate_login_name: Rate = "10 per 5 minutes"
    rate_login_address: Rate = "100 per 5 minutes"
    rate_register: Rate = "20 per hour"
    rate_chat: Rate = "60 per minute"
    rate_draft: Rate = "120 per minute"
    trusted_proxies: str = "127.0.0.1"
    runs_per_user: int = Field(100, ge=1, le=100_000)
    runs_per_process: int = Field(1_000, ge=1, le=100_000)
    grace_seconds: float = Field(10.0, ge=0, le=3_600)
    runs_queue: int = Field(0, ge=0, le=10_000)
    run_events: int = Field(20_000, ge=100, le=1_000_000)
    daily_tokens: int | None = Field(None, ge=1)
    price_input: float = Field(0.0, ge=0)
    price_output: float = Field(0.0, ge=0)
    log: Literal["json", "text"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] | None = None

    traces_endpoint: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    traces_own_endpoint: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.folding_tokens > self.window_tokens:
            raise ValueError(
                "TOMATO_SUMMARY_AFTER_TOKENS must not be above TOMATO_WINDOW_TOKENS: what is"
                " neither summarized nor in the window would be lost to the model"
            )
        if self.embeddings and not (self.openai_api_key or self.openai_base_url):
            raise ValueError("TOMATO_EMBEDDINGS needs OPENAI_API_KEY or OPENAI_BASE_URL")
        if self.korean == "kiwi" and find_spec("kiwipiepy") is None:
            raise ValueError(
                "TOMATO_KOREAN=kiwi needs the extra 'korean':"
                " .uv/bin/uv sync --inexact --extra korean"
            )
        if self.checkpointer == "mongo" and self.mongodb_url is None:
            raise ValueError("TOMATO_CHECKPOINTER=mongo needs MONGODB_URL")
        if self.checkpointer == "redis" and self.redis_url is None:
            raise ValueError("TOMATO_CHECKPOINTER=redis needs REDIS_URL")
        if self.s3_endpoint and not (self.s3_access_key and self.s3_secret_key):
            raise ValueError("S3_ENDPOINT needs S3_ACCESS_KEY and S3_SECRET_KEY")
        if self.traced and find_spec("opentelemetry.sdk") is None:
            raise ValueError(
                "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra 'tracing':"
                " .uv/bin/uv sync --inexact --extra tracing"
            )
        if self.env == "prod":
            self._refuse_unsafe()
        return self

    def _refuse_unsafe(self) -> None:
        unsafe = unsafe_in_prod(
            origins=self.origins, secrets=self._secrets(), rate_limits=self.rate_limits
        )
        if unsafe:
            raise ValueError(unsafe)
        if self.local_user:
            raise ValueError(
                "TOMATO_LOCAL_USER must be off when TOMATO_ENV is prod: anyone who reaches the"
                " server would be that user"
            )

    def _secrets(self) -> dict[str, str]:
        """Every secret that is set, by the name of its setting."""
        urls = {"MONGODB_URL": self.mongodb_url, "REDIS_URL": self.redis_url}
        passwords = {
            name: urlsplit(url.get_secret_value()).password for name, url in urls.items() if url
        }
        keys = {"TOMATO_BACKUP_KEY": self.backup_key, "S3_SECRET_KEY": self.s3_secret_key}
        return {name: password for name, password in passwords.items() if password is not None} | {
            name: key.get_secret_value() for name, key in keys.items() if key is not None
        }

    @property
    def local_user_on(self) -> bool:
        """Whether a request without a session is the local user; in dev unless switched off."""
        return self.env == "dev" if self.local_user is None else self.local_user

    @property
    def logs_json(self) -> bool:
        """Whether logs are for machines; in prod unless set."""
        return (self.log or ("json" if self.env == "prod" else "text")) == "json"

    @property
    def least_log_level(self) -> str:
        """From which level on is logged; in dev only what needs a look."""
        return self.log_level or ("info" if self.env == "prod" else "warning")

    @property
    def traced(self) -> bool:
        """Whether OpenTelemetry traces are made; the library reads for itself where they go."""
        return bool(self.traces_endpoint or self.traces_own_endpoint)

    @property
    def checkpointer_name(self) -> Literal["sqlite", "mongo", "redis"]:
        """Where the state of rooms is kept: in Redis or with the rest, unless set apart."""
        with_the_rest: Literal["sqlite", "mongo"] = "mongo" if self.mongodb_url else "sqlite"
        return self.checkpointer or ("redis" if self.redis_url else with_the_rest)

    @property
    def uses_file(self) -> bool:
        """Whether anything is kept in the data folder's SQLite file."""
        return self.mongodb_url is None or self.checkpointer_name == "sqlite"

    @property
    def storage(self) -> str:
        """Where everything is kept, for people to read; never a password."""
        durable = "MongoDB" if self.mongodb_url else f"SQLite {self.database_path}"
        return f"{durable} with Redis" if self.redis_url else durable

    @property
    def model_name(self) -> str:
        """``offline`` or ``openai:<name>``."""
        if self.model is not None:
            return self.model
        return DEFAULT_OPENAI_MODEL if self.openai_api_key or self.openai_base_url else "offline"

    @property
    def folding_tokens(self) -> int:
        """From how many tokens on old turns are summarized; three quarters of the window."""
        return self.summary_after_tokens or self.window_tokens * 3 // 4

    @property
    def objects_path(self) -> Path:
        """The folder of objects where there is no S3."""
        return self.data / "blobs"

    @property
    def database_path(self) -> Path:
        return self.data / "tomato.db"


class _FromEnvironment(BaseSettings, Settings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore")


def read_settings(dotenv: Path = DOTENV, secrets: Path = SECRETS, **given: Any) -> Settings:
    """The settings of this process: ``given`` first, then the environment, then ``.env`` in dev.

    What is in none of them may be a file of its name in ``secrets``, where containers get theirs.
    Raises SettingsError for an unknown ``TOMATO_*`` name, a bad value, or settings that
    contradict each other.
    """
    environment: Mapping[str, str | None] = os.environ  # noqa: TID251 - the one reader
    file = dotenv if environment.get("TOMATO_ENV", "dev") == "dev" else None
    set_here = {**(dotenv_values(file) if file else {}), **environment}
    _refuse_unknown(name for name in set_here if name.startswith(PREFIX))
    try:
        folder = secrets if secrets.is_dir() else None
        return _FromEnvironment(_env_file=file, _secrets_dir=folder, **given)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def setting_names() -> frozenset[str]:
    """The name of each setting in the environment."""
    return frozenset(_name_of(field) for field in Settings.model_fields)


def _name_of(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else ""
    return alias if isinstance(alias, str) and alias else f"{PREFIX}{field.upper()}"


def _refuse_unknown(names: Iterable[str]) -> None:
    known = setting_names()
    for name in sorted(set(names) - known):
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise SettingsError(f"{name} is not a setting of Tomato{hint}")


def _sentence(error: ValidationError) -> str:
    """The first thing wrong, by its name in the environment and never with its value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not first["loc"]:
        return f"{reason}."
    place = str(first["loc"][0])
    name = place if place in setting_names() else _name_of(place)
    return f"{name} has a bad value: {reason[:1].lower()}{reason[1:]}."
