"""Routes of the looks: read one, save an own one, delete it."""

from typing import Any

from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.endpoint import Body, Toml, route
from dreamscripts.studio.routes.studio import Studio


class Saved(Body):
    """The settings of a look."""

    toml: Toml


def read(studio: Studio, name: str) -> dict[str, Any]:
    """Return the settings of a look."""
    return {"name": name, "toml": studio.looks.toml(name), "own": studio.looks.get(name).own}


def save(studio: Studio, name: str, body: Saved) -> dict[str, Any]:
    """Save settings as a look of the person's own."""
    look = studio.looks.save(name, body.toml)
    studio.hub.publish("looks", answers.looks(studio))
    return answers.look(look)


def delete(studio: Studio, name: str) -> dict[str, Any]:
    """Delete a look of the person's own."""
    studio.looks.delete(name)
    studio.hub.publish("looks", answers.looks(studio))
    return {}


ROUTES = [
    route("GET", "/api/looks/{name}", read),
    route("PUT", "/api/looks/{name}", save, body=Saved),
    route("DELETE", "/api/looks/{name}", delete),
]
