"""CI's plugin: a skipped test, or a skipped file of tests, fails the run."""

import subprocess
import sys
from pathlib import Path

import pytest

PASSES = "def test_passes():\n    pass\n"
SKIPS = "import pytest\n\n@pytest.mark.skip(reason='')\ndef test_skips():\n    pass\n"
SKIPS_WHOLE = "import pytest\n\npytest.skip(allow_module_level=True)\n"


@pytest.mark.parametrize(
    ("files", "passed"),
    [
        ([PASSES], True),
        ([PASSES, SKIPS], False),
        ([PASSES, SKIPS_WHOLE], False),
        ([SKIPS_WHOLE], False),
    ],
)
@pytest.mark.parametrize("spread", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "spread"])
def test_a_skip_fails_the_run(
    tmp_path: Path, files: list[str], passed: bool, spread: tuple[str, ...]
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for number, source in enumerate(files):
        (tmp_path / f"test_{number}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *spread, str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) is passed, run.stdout + run.stderr
    assert ("in CI that is a failure" in run.stdout) is not passed
