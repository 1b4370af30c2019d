"""Move folders and files between two folders without following a link and without replacing anything."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from dreamscripts.studio.library import within

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)  # of a file system without hard links


def move(base: Path, name: str, target: Path, new_name: str) -> None:
    """Move base/name to target/new_name. Both names can contain "/". Raises FileExistsError if the new one is taken."""
    parts, new_parts = name.split("/"), new_name.split("/")
    if within.status(target, *new_parts) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_name)
    with within.open_folder(base, *parts[:-1]) as source, within.open_folder(target, *new_parts[:-1]) as destination:
        if not within.HAS_DIR_FD:
            os.rename(source / parts[-1], destination / new_parts[-1])  # noqa: PTH104 - as below
            return
        if within.is_file(base, *parts):  # a rename would replace a file that appears meanwhile
            try:
                os.link(parts[-1], new_parts[-1], src_dir_fd=source, dst_dir_fd=destination, follow_symlinks=False)
                os.unlink(parts[-1], dir_fd=source)
                return
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
        try:
            os.rename(parts[-1], new_parts[-1], src_dir_fd=source, dst_dir_fd=destination)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR):  # it is taken now
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_name) from None
            raise


def size_of(base: Path, name: str) -> int:
    """Return the bytes of a file, or of all files in a folder. Links are not followed."""
    path = base.joinpath(*name.split("/"))
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    total, folders = 0, [path]
    while folders:  # not by os.walk, which calls itself for each folder in a folder
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total
