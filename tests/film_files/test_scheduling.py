"""A real-time process that dreams lets nothing else on the machine have a turn."""

import os
import threading
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from small_films import pictures

from dreamscripts.film_files.scheduling import kept_scheduling

THREADS = Path("/proc/self/task")

if not hasattr(os, "sched_setscheduler") or not THREADS.is_dir() or os.geteuid() != 0:
    pytest.skip("only root on Linux can have real-time threads", allow_module_level=True)


def policies():
    found = set()
    for path in THREADS.iterdir():
        with suppress(ProcessLookupError):  # the thread has ended meanwhile
            found.add(os.sched_getscheduler(int(path.name)))
    return found


@pytest.fixture(autouse=True)
def ordinary_afterwards():
    """Let no other test be real-time, even if this one fails."""
    yield
    for path in THREADS.iterdir():
        with suppress(ProcessLookupError):
            os.sched_setscheduler(int(path.name), os.SCHED_OTHER, os.sched_param(0))


def make_real_time():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def test_this_thread_and_new_threads_get_back_what_they_had():
    end = threading.Event()
    try:
        with kept_scheduling():
            make_real_time()
            threading.Thread(target=end.wait).start()
            assert policies() == {os.SCHED_OTHER, os.SCHED_FIFO}
        assert policies() == {os.SCHED_OTHER}
    finally:
        end.set()


def test_also_after_an_error():
    with pytest.raises(KeyError), kept_scheduling():
        make_real_time()
        raise KeyError
    assert policies() == {os.SCHED_OTHER}


@pytest.mark.parametrize("encoder", ["libx264", "libsvtav1", "libvpx-vp9"])
def test_no_encoder_makes_a_thread_real_time(tmp_path, encoder):
    av = pytest.importorskip("av")
    if encoder not in av.codecs_available:
        pytest.skip(f"PyAV was built without {encoder}")
    from dreamscripts.film_files.encoding import encode
    from dreamscripts.film_files.frame import Frame
    from dreamscripts.film_files.kinds import Kind

    seen = set()

    def frames():
        for number, pixels in enumerate(pictures(12)):
            seen.update(policies())
            yield Frame(pixels, number)

    encode(tmp_path / "a.mp4", frames(), Fraction(1, 10), Fraction(10), Kind("some", "mp4", (encoder,)))
    assert seen | policies() == {os.SCHED_OTHER}
