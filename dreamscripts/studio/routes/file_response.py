"""Answers that are files: an open file, or the part of it that a player of films asks for."""

import hashlib
import os
import re
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

CHUNK = 256 * 1024  # bytes
ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def file_response(request: Request, file: BinaryIO, kind: str, name: str) -> Response:
    """Answer with an open regular file, which is closed at the end. `name` is for the file if somebody saves it.

    Of a Range header, one range is answered. Several ranges, or something else, are answered with the whole file, as
    HTTP allows. So no request makes the answer larger than the file.
    """
    status = os.fstat(file.fileno())
    mark = f'"{hashlib.sha256(repr((status.st_ino, status.st_size, status.st_mtime_ns)).encode()).hexdigest()[:16]}"'
    headers = {
        "etag": mark,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",  # kept, and asked for again each time
        "content-disposition": f"{_disposition(kind)}; filename*=utf-8''{quote(name, safe='', errors='replace')}",
    }
    if request.headers.get("if-none-match") == mark:
        file.close()
        return Response(status_code=304, headers=headers)
    start, end, code = 0, status.st_size, 200
    if request.headers.get("if-range", mark) == mark and (asked := request.headers.get("range")):
        found = _range(asked, status.st_size)
        if found is None:
            file.close()
            return Response(status_code=416, headers={"content-range": f"bytes */{status.st_size}"})
        if found != (0, status.st_size):
            start, end = found
            code, headers["content-range"] = 206, f"bytes {start}-{end - 1}/{status.st_size}"
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        file.close()
        return Response(status_code=code, headers=headers, media_type=kind)
    return StreamingResponse(_read(file, start, end), code, headers, kind)


def _disposition(kind: str) -> str:
    return "inline" if kind.startswith(("image/", "video/")) else "attachment"


def _range(asked: str, size: int) -> tuple[int, int] | None:
    """Return start and end of the one range that is asked for, or of the whole file. None if the file has no such."""
    found = ONE_RANGE.fullmatch(asked.strip().lower())
    if found is None or found[0] == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) and size else None
    start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= size:
        return None
    return (start, end) if start < end else (0, size)


async def _read(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes from start to end, and close the file."""
    with file:
        file.seek(start)
        while start < end:
            chunk = await run_in_threadpool(file.read, min(CHUNK, end - start))
            if not chunk:  # somebody has cut the file
                return
            start += len(chunk)
            yield chunk
