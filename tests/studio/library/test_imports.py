"""The studio's page must answer at once, so nothing of its library imports what takes seconds."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import dreamscripts.studio.library as library
for module in pkgutil.iter_modules(library.__path__):
    importlib.import_module(f"{library.__name__}.{module.name}")
from dreamscripts.settings.describing import describe
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.looks import Looks
from dreamscripts.studio.library.photographs import Photographs
folder = StudioFolder(sys.argv[1])
History(folder, Photographs(folder)).scan()
Looks(folder).check(Looks(folder).toml("dreamy"))
list(describe(Settings))
slow = {"keras", "tensorflow", "jax", "torch", "scipy", "matplotlib", "pandas", "av", "cv2"}
print(sorted(slow & sys.modules.keys()))
"""


def test_the_library_is_used_without_keras_scipy_and_matplotlib(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=True, env=None
    )
    assert done.stdout.strip() == "[]"
