"""Journeys: files with the keyframes of a zoom. A keyframe can take its loss from named settings."""

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.settings.explaining import explain
from dreamscripts.settings.film_tables import Keyframe, Zoom
from dreamscripts.settings.loading import find_named, named_files, parse_toml, read_file
from dreamscripts.settings.tables import Feature, LayerName, Table

if TYPE_CHECKING:
    from dreamscripts.settings.schema import Settings

S = TypeVar("S", bound="Settings")


class Stop(Keyframe):
    """A keyframe in a file: it has features of its own, or those of named settings."""

    settings: str | None = None
    """Named settings that the features, the measure and the penalties come from."""
    features: dict[LayerName, Feature] | None = None  # type: ignore[assignment]
    """Layers of the network and their weights in the loss, instead of `settings`."""


class JourneyFile(Table):
    """The content of a journey file."""

    keyframe: list[Stop] = Field(min_length=1)
    """The moments, in order."""


def with_journey(settings: S, name: str) -> S:
    """Return the settings with the journey called `name`, or in the file `name`. Raises SettingsError."""
    table = parse_toml(read_file(find_named("journeys", name), "journey"), name)
    try:
        stops = JourneyFile.model_validate(table).keyframe
    except ValidationError as error:
        raise SettingsError(explain(error, name, {}, JourneyFile)) from None
    zoom = (settings.zoom or Zoom()).model_dump() | {"keyframes": [_keyframe(stop, settings, name) for stop in stops]}
    try:
        return type(settings).model_validate(settings.model_dump() | {"zoom": zoom})
    except ValidationError as error:
        raise SettingsError(explain(error, name, {}, type(settings))) from None


def _keyframe(stop: Stop, base: "Settings", source: str) -> dict[str, Any]:
    """Return the keyframe of a stop, for the network of `base`. Raises SettingsError."""
    place = f"{source}: the keyframe at {stop.at:g} seconds"
    if (stop.settings is None) == (stop.features is None):
        raise SettingsError(f"{place} needs settings or features, not both")
    table = stop.model_dump(exclude={"settings"})
    if stop.settings is not None:
        if stop.settings not in named_files():
            meant = did_you_mean(stop.settings, named_files())
            raise SettingsError(f"{place}: there are no named settings called '{stop.settings}'{meant}")
        own: dict[str, Any] = {"network": base.network, "start": "photograph", "size": "none"}
        own |= {} if base.weights is None else {"weights": base.weights}
        loaded = type(base).load(stop.settings, **own).model_dump()
        table |= {key: loaded[key] for key in ("features", "measure", "penalties")}
    return table
