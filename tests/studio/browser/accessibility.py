"""The rules of axe-core, in the page under test."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

FILE = "DREAMSCRIPTS_AXE"
"""The environment variable with the path of axe.min.js, from the npm package axe-core."""
GRAVE = ("serious", "critical")


def findings(page: Page) -> list[str]:
    """Return the serious and critical findings of axe-core, or skip the test if axe-core is not there."""
    path = os.environ.get(FILE)
    if not path or not Path(path).is_file():
        pytest.skip(f"axe-core is not here: set {FILE} to the axe.min.js of `npm pack axe-core`")
    # The page's policy refuses added script elements, so the debugger runs the source.
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(Path(path).read_text(encoding="utf-8"))
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: "
        + "; ".join(f"{node['target']} {node['html'][:200]}" for node in violation["nodes"][:5])
        for violation in result["violations"]
        if violation["impact"] in GRAVE
    ]
