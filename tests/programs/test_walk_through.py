"""The README's walk-through runs as it stands, on a server with nothing configured."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.checkout import ROOT, copy_code
from tests.support.programs import needs
from tests.support.service import serving


def test_the_readmes_curl_lines_run_as_they_stand(tmp_path: Path) -> None:
    needs("bash", "curl")
    block = re.search(r"^## Call it$.*?^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert block
    # A fresh clone after the README's Run command: nothing but the code, and `.venv`.
    copy_code(tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with serving(tmp_path, root=tmp_path, BETTER_AUTH_SECRET=None) as service:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block[1].replace("http://127.0.0.1:8000", service.address)],
            check=False,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    created, listed, read, updated, toggled, deleted = done.stdout.splitlines()
    task = json.loads(created)
    assert (task["id"], task["user_id"], task["title"], task["completed"]) == (1, "alice", "Buy milk", False)
    assert json.loads(listed) == [task]
    assert json.loads(read) == task
    assert json.loads(updated)["title"] == "Buy oat milk"
    assert json.loads(toggled)["completed"]
    assert deleted == ""
