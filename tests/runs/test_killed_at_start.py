import pytest

from dreamscripts.runs import find_film, find_run

LEFT_OVER = ".dreamscripts-0123456789abcdef.part"
RUN = (find_run.remove_if_killed_at_start, lambda folder: folder, "run.json", {"settings.toml", "start.npy", LEFT_OVER})
FILM = (
    find_film.remove_if_killed_at_start,
    find_film.parts_of,
    "film.json",
    {"settings.toml", "start.npy", "frame_000001.npy", "segment_0000.mp4", LEFT_OVER},
)


@pytest.mark.parametrize("remove, folder_of, record, names", [RUN, FILM])
@pytest.mark.parametrize("other", [None, "record", "diary.txt"])
def test_only_what_a_killed_process_left_is_deleted(remove, folder_of, record, names, other, tmp_path):
    folder = folder_of(tmp_path / "one")
    folder.mkdir()
    for name in names | ({record if other == "record" else other} if other else set()):
        (folder / name).write_bytes(b"")
    remove(tmp_path / "one")
    if other:
        assert len(list(folder.iterdir())) == len(names) + 1
    else:
        assert not folder.exists()
    remove(tmp_path / "none")
