"""This checkout of the project, and copies of it."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def partitioning() -> str:
    """The SQL with which the migrations' README partitions the tasks."""
    readme = (ROOT / "migrations" / "README.md").read_text()
    return readme[readme.index("## Partitioning") :].partition("```sql\n")[2].partition("```")[0]


def copy_code(folder: Path) -> Path:
    """Put what the service runs from into the folder, as in a fresh clone; compiled already, which saves time."""
    for name in ("todo_api", "migrations"):
        # Another process may just be writing a compiled file, under a name of its own until it is complete.
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.copy(ROOT / "wsgi.py", folder)
    return folder
