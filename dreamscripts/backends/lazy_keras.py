"""Import keras and keras.ops when they are first used.

Importing Keras and its backend takes seconds. Settings can be checked before that.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _Lazy(ModuleType):
    """A module that is imported when an attribute of it is first read."""

    def __getattr__(self, name: str) -> Any:
        module = self.__dict__.get("module") or import_module(self.__name__)
        self.__dict__["module"] = module
        return getattr(module, name)


if TYPE_CHECKING:
    import keras
    from keras import ops
else:
    keras, ops = _Lazy("keras"), _Lazy("keras.ops")
