"""What production refuses, and how it says so."""

import pytest

from server.safety import is_weak
from server.settings import SettingsError, read_settings

GOOD = "q7fT2mZx9LwK4vBn"


def refusal(**given: object) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(env="prod", **given)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "name", "mend"),
    [
        ({"local_user": True}, "TOMATO_LOCAL_USER", "must be off"),
        ({"origins": "http://app.example.com"}, "TOMATO_ORIGINS", "https"),
        ({"origins": "*"}, "TOMATO_ORIGINS", "no wildcard"),
        ({"rate_limits": False}, "TOMATO_RATE_LIMITS", "must be on"),
        ({"mongodb_url": "mongodb://tomato:changeme@db/tomato"}, "MONGODB_URL", "openssl rand"),
        ({"mongodb_url": "mongodb://root:p@db/tomato"}, "MONGODB_URL", "openssl rand"),
        ({"redis_url": "redis://:password@cache:6379/0"}, "REDIS_URL", "openssl rand"),
        (
            {
                "s3_endpoint": "s3:9000",
                "s3_access_key": "minioadmin",
                "s3_secret_key": "minioadmin",
            },
            "S3_SECRET_KEY",
            "openssl rand",
        ),
    ],
)
def test_what_is_unsafe_stops_the_start(given: dict[str, object], name: str, mend: str) -> None:
    told = refusal(**given)
    assert name in told
    assert mend in told
    for secret in ("changeme", ":p@", "password@", "minioadmin"):
        assert secret not in told


def test_what_is_safe_starts() -> None:
    settings = read_settings(
        env="prod",
        mongodb_url=f"mongodb://tomato:{GOOD}@db/tomato",
        redis_url=f"redis://:{GOOD}@cache:6379/0",
        s3_endpoint="s3:9000",
        s3_access_key="access",
        s3_secret_key=GOOD,
        origins="https://app.example.com, http://localhost:3000",
    )
    assert not settings.local_user_on
    assert read_settings(env="prod").env == "prod"


@pytest.mark.parametrize(
    ("secret", "weak"),
    [
        ("Minio-Admin", True),
        ("short", True),
        ("aaaaaaaaaaaaaaaa", True),
        ("T.o.m.a.t.o", True),
        (GOOD, False),
        ("correct horse battery staple", False),
    ],
)
def test_which_secrets_are_weak(secret: str, weak: bool) -> None:
    assert is_weak(secret) is weak
