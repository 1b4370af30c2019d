"""The application of the studio: all routes, behind the guard."""

from starlette.applications import Starlette
from starlette.types import ASGIApp

from dreamscripts.studio.routes import files, jobs, looks, page, photos, runs, settings, sheets, state
from dreamscripts.studio.routes.endpoint import HANDLERS
from dreamscripts.studio.routes.guard import Guard, Names
from dreamscripts.studio.routes.studio import Studio

ROUTES = [
    route for module in (page, files, state, photos, looks, settings, jobs, runs, sheets) for route in module.ROUTES
]


def build(studio: Studio, names: Names) -> ASGIApp:
    """Return the application for a studio that a browser reaches by these names."""
    app = Starlette(routes=ROUTES, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    app.state.studio = studio
    return Guard(app, names, studio.token, studio.links)
