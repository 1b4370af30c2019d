"""A measured program that multiplies float32 matrices with NumPy, for the maximum speed of the machine."""

from collections.abc import Callable
from typing import Any

from dreamscripts.benchmarks.program import Requests, Task, random_matrices, serve, timed_product


def open_matrices(task: Task) -> tuple[dict[str, Any], Requests]:
    """Return the description of the program and its only request, `multiply`."""

    def product(side: int) -> Callable[[], object]:
        a, b = random_matrices(side)
        return lambda: a @ b

    return {"device": "CPU"}, {"multiply": timed_product("CPU", product)}


if __name__ == "__main__":
    serve(open_matrices)
