"""Routes of the X/Y sheets: nine dreams with three values each of two settings."""

from typing import Annotated, Any

from pydantic import Field

from dreamscripts.errors import DreamError
from dreamscripts.jobs.job import Job
from dreamscripts.studio.library.sheets import Axis
from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.endpoint import Body, Id, LookName, Nothing, Toml, route
from dreamscripts.studio.routes.jobs import check_room, settings_for
from dreamscripts.studio.routes.runs import forget_jobs
from dreamscripts.studio.routes.studio import Studio

CELLS = 9


class AxisOrder(Body):
    """A setting and its three values."""

    key: Annotated[str, Field(min_length=1, max_length=200)]
    values: Annotated[list[int | float], Field(min_length=3, max_length=3)]


class SheetOrder(Body):
    """What a sheet is made of."""

    photo: Id | None
    look: LookName
    toml: Toml
    x: AxisOrder
    y: AxisOrder


def add(studio: Studio, body: SheetOrder) -> dict[str, Any]:
    """Make a sheet, and put its nine dreams at the end of the queue."""
    check_room(studio, CELLS)
    if body.x.key == body.y.key:
        raise DreamError("a sheet needs two different settings")
    photo = studio.photographs.get(body.photo) if body.photo else None
    toml = settings_for(studio, body.toml, photo)
    x, y = (Axis(key=axis.key, values=axis.values) for axis in (body.x, body.y))
    folder = studio.queue.new_name(f"{body.look or 'own'}-sheet")
    sheet = studio.sheets.make(folder, body.photo, photo.name if photo else "", body.look, toml, x, y)
    path = str(studio.photographs.path(photo.id)) if photo else None
    for cell in (cell for row in sheet.cells for cell in row):
        studio.queue.add(
            Job(
                kind="dream",
                folder=cell.folder,
                photo=path,
                look=body.look,
                settings=cell.settings,
                sheet=sheet.id,
            )
        )
    studio.supervisor.wake()
    answer = answers.sheet(studio, sheet)
    studio.hub.publish("sheet", answer, sheet.id)
    return answer


def trash(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Move a sheet and all its dreams into the trash."""
    sheet = studio.sheets.get(id)
    forget_jobs(studio, sheet.folder)
    studio.trash.put_sheet(id)
    for cell in (cell for row in sheet.cells for cell in row):
        studio.hub.publish("run-gone", {"id": cell.run}, cell.run)
    studio.hub.publish("sheet-gone", {"id": id}, id)
    return {}


ROUTES = [
    route("POST", "/api/sheets", add, body=SheetOrder),
    route("POST", "/api/sheets/{id}/trash", trash, body=Nothing),
]
