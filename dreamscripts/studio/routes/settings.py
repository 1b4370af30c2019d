"""Routes of the settings: the form for them, and TOML that is checked and changed without losing its comments."""

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from dreamscripts.settings.describing import describe
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.sliders import SLIDERS
from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.endpoint import Body, Toml, route
from dreamscripts.studio.routes.studio import Studio

Key = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=1000)]
Value = bool | int | float | Text | None


class Check(Body):
    """Settings to check."""

    toml: Toml


class Change(Body):
    """Values to change by their dotted keys. None removes a key."""

    toml: Toml
    changes: Annotated[dict[Key, Value], Field(max_length=500)]


def form(studio: Studio) -> dict[str, Any]:
    """Describe all settings: those that matter most as sliders, and every key."""
    keys = [asdict(key) | {"table": key.table} for key in describe(Settings)]
    return {"sliders": [asdict(slider) for slider in SLIDERS], "keys": keys}


def check(studio: Studio, body: Check) -> dict[str, Any]:
    """Say what settings mean, and what is wrong with them."""
    return answers.checked(studio.looks.check(body.toml))


def change(studio: Studio, body: Change) -> dict[str, Any]:
    """Change values in settings, and say what the new settings mean."""
    return answers.checked(studio.looks.change(body.toml, body.changes))


ROUTES = [
    route("GET", "/api/form", form),
    route("POST", "/api/settings/check", check, body=Check),
    route("POST", "/api/settings/change", change, body=Change),
]
