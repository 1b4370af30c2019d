"""The notebook among the samples runs from top to bottom, as a person would run it."""

from pathlib import Path

import keras
import nbformat
import pytest
from nbclient import NotebookClient

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="takes minutes there")
def test_the_notebook_on_feature_visualisation_runs_offline_from_top_to_bottom():
    notebook = nbformat.read(SAMPLES / "feature_visualization.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [sum(output.output_type == "display_data" for output in cell.outputs) for cell in cells]
    for cell in cells:
        cell.outputs = []
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(SAMPLES)}}).execute()
    assert [sum(output.output_type == "display_data" for output in cell.outputs) for cell in cells] == shown
    assert sum(shown) >= 10
    assert "GPU will not be used" not in str(cells)  # nothing but the story
