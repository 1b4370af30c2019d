"""Small films for tests, made with PyAV, which the tests must have checked to be there."""

import io
from fractions import Fraction
from itertools import chain, count

import numpy as np

LOSSLESS = {"codec": "ffv1", "pix_fmt": "bgr0"}
SOUNDS = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "libopus"}


def pictures(number, height=48, width=64):
    """Make `number` pictures, uint8 (height, width, 3), of smooth waves that move."""
    y, x = np.mgrid[:height, :width]
    for t in range(number):
        waves = [np.sin(x / 9 + t / 3 + c) + np.cos(y / 7 - t / 5 + 2 * c) for c in range(3)]
        yield np.rint(127.5 + 60 * np.stack(waves, axis=2)).astype(np.uint8)


def write_film(path, frames, *, codec="libx264", pix_fmt="yuv420p", rate=25, **settings):
    """Write frames (uint8 RGB or RGBA arrays, or frames of PyAV) as a film. Return its path.

    Settings: `times` of the frames in units of `time_base`, `options` of the encoder, `container_options`, and
    `sound` = True. Others are attributes of the encoder.
    """
    import av

    times, time_base = settings.pop("times", count()), settings.pop("time_base", Fraction(1, rate))
    options, of_container = settings.pop("options", {}), settings.pop("container_options", {})
    has_sound = settings.pop("sound", False)
    first, *_ = head = [frame_of(next(frames := iter(frames)))]
    with av.open(str(path), "w", options=of_container) as container:
        stream = container.add_stream(codec, rate=rate, options={"threads": "1", **options})
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, pix_fmt
        stream.codec_context.time_base = time_base
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        sound = container.add_stream(SOUNDS[path.suffix], rate=48000) if has_sound else None
        for frame, time in zip(chain(head, map(frame_of, frames)), times):  # noqa: B905
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            write_tone(container, sound)
    return path


def frame_of(pixels):
    import av

    if isinstance(pixels, av.VideoFrame):
        return pixels
    return av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")


def write_tone(container, stream):
    """Write half a second of sound."""
    import av

    for number in range(25):
        wave = np.sin(np.arange(960) / 20 + number * 48).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * number, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def decode(path):
    """Decode a whole film with PyAV alone."""
    import av

    with av.open(io.BytesIO(path.read_bytes())) as container:
        return list(container.decode(video=0))
