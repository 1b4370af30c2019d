"""Write the web page of a gallery, and the contact sheet of each layer."""

from pathlib import Path

from dreamscripts.atomic_files import write_atomically
from dreamscripts.reports.contact_sheet import draw_sheet
from dreamscripts.runs.gallery_folder import GalleryFolder


def write_page(gallery: GalleryFolder) -> Path:
    """Write the page and return its path. An open page loads new pictures automatically. Raises OutputError."""
    page = gallery.folder / "index.html"
    write_atomically(page, (Path(__file__).parent / "gallery.html").read_bytes())
    return page


def write_sheet(gallery: GalleryFolder, layer: str) -> None:
    """Write the contact sheet of a layer, unless it is up to date. Missing pictures are empty cells.

    Raises OutputError.
    """
    entry = gallery.record.layers[layer]
    if not entry.done or gallery.has_sheet(layer):
        return
    channels, done = entry.channels, len(entry.done)
    counts = f"{channels} channels" if done == channels else f"{done} of {channels} channels"
    note = f"{gallery.record.network} · {counts}"
    gallery.save_sheet(layer, draw_sheet(layer, note, gallery.pictures(layer), channels, entry.size))
