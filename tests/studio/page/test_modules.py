"""The modules of the page: what their own tests say, and what every file of the page must keep to."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import dreamscripts.studio.page

PAGE = Path(dreamscripts.studio.page.__file__).parent
FILES = sorted(file for file in PAGE.iterdir() if file.suffix in (".html", ".css", ".js", ".svg"))
FORBIDDEN = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    " style=",
    "onclick=",
)
OLDEST_NODE = (22, 12)  # from here on, and in 20.19 and later of 20, a file .js with `import` is a module


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    major, minor = map(int, subprocess.check_output([node, "--version"], text=True).lstrip("v").split(".")[:2])
    if (major, minor) < OLDEST_NODE and not (major == 20 and minor >= 19):
        pytest.skip(f"node {major}.{minor} does not take a file .js as a module")
    return node


def test_the_modules_pass_their_own_tests() -> None:
    command = [_node(), "--test", str(Path(__file__).with_name("modules.test.mjs"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE) or "pass 5" in done.stdout


def test_the_page_is_small() -> None:
    assert 50_000 < sum(file.stat().st_size for file in FILES) <= 250_000


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_keeps_to_the_rules(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert len(text.splitlines()) <= 300
    assert not re.search(r"https?://(?! )[a-z0-9]", text), "an address on a network"
    for forbidden in FORBIDDEN:
        assert forbidden not in text, forbidden
