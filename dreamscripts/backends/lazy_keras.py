"""Import keras and keras.ops when they are first used.

Importing Keras and its backend takes seconds. Settings can be checked before that.
"""

from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _Lazy(ModuleType):
    """A module that is imported when an attribute of it is first read."""

    @cached_property
    def _module(self) -> ModuleType:
        return import_module(self.__name__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


if TYPE_CHECKING:
    import keras
    from keras import ops
else:
    keras, ops = _Lazy("keras"), _Lazy("keras.ops")
