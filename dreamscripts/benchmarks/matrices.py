"""The machine's own pace: products of float32 matrices by NumPy's BLAS, which no convolution has to beat but can."""

from typing import Any

from dreamscripts.benchmarks.contestant import Questions, Task, random_matrices, serve, timed_product


def open_matrices(task: Task) -> tuple[dict[str, Any], Questions]:
    """Nothing but products."""

    def product(side: int):
        a, b = random_matrices(side)
        return lambda: a @ b

    return {"device": "CPU"}, {"multiply": timed_product("CPU", product)}


if __name__ == "__main__":
    serve(open_matrices)
