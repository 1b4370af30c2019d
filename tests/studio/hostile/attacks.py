"""What the tests of attacks share: the routes, a secret that nobody may read, and what every answer must be."""

import io

from PIL import Image
from studio_requests import ask

from dreamscripts.studio.routes.app import ROUTES

SECRET = b"a secret of somebody else"
OTHER = "0123456789abcdef"
TOML = "[features]\nblock2_conv1 = 1\n"
API = [
    (method, route.path) for route in ROUTES for method in sorted(route.methods - {"HEAD"}) if route.path[:5] == "/api/"
]
READING = {"/api/events"}  # its answer has no end


def png(size=(8, 8), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(file, kind)
    return file.getvalue()


def is_harmless(answer):
    """Check that an answer is no server error, and says nothing about the inside."""
    assert answer.status < 500, answer.body
    assert SECRET not in answer.body
    assert b"Traceback" not in answer.body
    assert "nosniff" in answer.headers["x-content-type-options"]
    if answer.status >= 400 and answer.status != 416:
        assert answer.error
    return answer


def path_of(path, id=OTHER, name="dreamy"):
    return path.replace("{id}", id).replace("{name}", name)


def everywhere(app, headers, **options):
    """Yield the answers of all routes of the API."""
    for method, path in API:
        if path not in READING:
            yield is_harmless(ask(app, method, path_of(path), headers, **options))
