"""Fixtures for batches: photographs, and the plan of their dreams."""

import pytest
from PIL import Image

from dreamscripts.batch.plan import plan, plan_variants
from dreamscripts.batch.request import Request

LOOK = '[features]\nblock2_conv1 = 1\n[optimizer]\nname = "gradient_ascent"\niterations = 3\n'


@pytest.fixture
def photos(tmp_path):
    """Return three photographs of two sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in {"cat": (48, 32), "dog": (48, 32), "sea": (40, 40)}.items():
        Image.new("RGB", size, (90, 120, 200)).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def look(tmp_path):
    """Return a settings file."""
    path = tmp_path / "look.toml"
    path.write_text(LOOK)
    return path


@pytest.fixture
def planned(photos, look):
    """Return a function that plans dreams of all photographs, with a grid and seeds."""

    def planned(grid=None, seeds=(), photographs=None):
        request = Request(settings=[str(look)], grid=grid or {}, seeds=seeds)
        dreams, _ = plan(photos if photographs is None else photographs, plan_variants(request, {}, False, True))
        return dreams

    return planned
