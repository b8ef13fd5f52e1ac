"""The operating guide, run as an operator would: each part as one script."""

import asyncio
import re
import sys
from pathlib import Path

from tests.services.process import free_ports
from tests.services.s3 import Bucket

GUIDE = (Path(__file__).parents[2] / "infra/OPERATING.md").read_text()

# What a person keeps before the disks are lost, and looks for after the restore: not in the guide.
KEEP = """
entry='{"summary": "잃으면 안 되는 것", "category": "운영", "content": "a vow, 맹세"}'
curl -sSf "$address/api/archive" -H 'Content-Type: application/json' -d "$entry"
"""
FIND = """
found=$(curl -sSf "$address/api/archive")
"""
END_ALL = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


def script(part: str) -> str:
    """The blocks of a part, and between them what people do."""
    text = GUIDE.split(f"\n## {part}")[1].split("\n## ")[0]
    first, *others = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (restore,) = [number for number, block in enumerate(others) if "backup restore" in block]
    others[restore], ready = re.subn(r"^ready.*$", rf"\g<0>{FIND}", others[restore], flags=re.M)
    assert ready == 1
    return "\n".join([END_ALL, first, KEEP, *others, '[[ "$found" == *"잃으면 안 되는 것"* ]]'])


async def run(home: Path, part: str, port: int, **environment: str) -> str:
    own = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "address": f"http://127.0.0.1:{port}",
        "other_disk": str(home / "other-disk"),
    }
    process = await asyncio.create_subprocess_exec(
        *("bash", "-xeuo", "pipefail", "-c", script(part)),
        cwd=home,
        env=own | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_one_machine(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    said = await run(tmp_path, "One machine", port, TOMATO_PORT=str(port))
    assert "equal to its manifest" in said
    assert "opened, records and objects agree" in said


async def test_several_machines(tmp_path: Path, mongo_url: str, redis_url: str, s3: Bucket) -> None:
    first, second = free_ports(2)
    said = await run(
        tmp_path,
        "Several machines",
        first,
        first_port=str(first),
        second_port=str(second),
        new_mongodb_url=re.sub(r"test_\w+", r"\g<0>_new", mongo_url),
        new_bucket=f"{s3.bucket}-new",
        MONGODB_URL=mongo_url,
        REDIS_URL=redis_url,
        S3_ENDPOINT=s3.endpoint,
        S3_ACCESS_KEY=s3.access_key,
        S3_SECRET_KEY=s3.secret_key,
        S3_BUCKET=s3.bucket,
        S3_SECURE="off",
    )
    assert "restored to MongoDB with Redis and equal to its manifest" in said
