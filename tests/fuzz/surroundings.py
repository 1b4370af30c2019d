"""The surroundings of a command, each as a line of bash that ends in "$@", and how a command may end in them."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

FAST = """
network = "pocket"
size = 48
[features]
block2_conv1 = 0.05
[penalties]
dream_l2 = 0.02
[optimizer]
iterations = 2
passes = 3
"""
BACKWARDS = "import time; now = time.time; time.time = lambda: 1e9 - now()"  # perf_counter never does


def keras_json(content: str) -> str:
    """Return the line for a command whose keras.json has this content."""
    setup = "mkdir -p home/.keras; unset KERAS_HOME KERAS_BACKEND; export HOME=$PWD/home"
    return f"{setup}; printf '%s' '{content}' > home/.keras/keras.json; exec \"$@\""


def mounted(setup: str) -> str:
    """Return the line for a command in its own mount namespace."""
    return f'exec unshare -m bash -c \'{setup}; exec "$@"\' bash "$@"'


SURROUNDINGS = {
    "HOME is missing": 'unset HOME; exec "$@"',
    "HOME is empty": 'HOME= exec "$@"',
    "HOME does not exist": 'HOME=/nonexistent exec "$@"',
    "HOME is a file": 'HOME=$PWD/photo.png exec "$@"',
    "HOME cannot be written": 'HOME=/proc exec "$@"',
    "HOME is not UTF-8": "HOME=$'/nonexistent/\\xff' exec \"$@\"",
    "no HOME, no name": 'unset HOME USER LOGNAME; exec setpriv --reuid 12345 --clear-groups "$@"',
    "the HOME of root, no name": 'HOME=/root exec setpriv --reuid 12345 --clear-groups "$@"',
    "the cache cannot be written": 'XDG_CACHE_HOME=/proc exec "$@"',
    "the cache is a file": 'XDG_CACHE_HOME=$PWD/photo.png exec "$@"',
    "the cache is relative": 'XDG_CACHE_HOME=cache exec "$@"',
    "the cache has a file instead of its folder": (
        'mkdir cache; touch cache/dreamscripts; XDG_CACHE_HOME=$PWD/cache exec "$@"'
    ),
    "the cache has a file instead of the measurements": (
        'mkdir -p cache/dreamscripts; touch cache/dreamscripts/measured; XDG_CACHE_HOME=$PWD/cache exec "$@"'
    ),
    "the cache is a circle of links": 'ln -s b a; ln -s a b; XDG_CACHE_HOME=$PWD/a exec "$@"',
    "the cache is full": mounted(
        "mkdir -p full; mount -t tmpfs -o size=4k none full; head -c 4096 /dev/zero > full/x; "
        "export XDG_CACHE_HOME=$PWD/full"
    ),
    "KERAS_HOME cannot be written": 'KERAS_HOME=/proc exec "$@"',
    "KERAS_HOME is a file": 'KERAS_HOME=$PWD/photo.png exec "$@"',
    "keras.json is damaged": keras_json("{"),
    "keras.json is a list": keras_json("[]"),
    "keras.json is empty": keras_json(""),
    "keras.json: float16": keras_json('{"floatx": "float16"}'),
    "keras.json: bfloat16": keras_json('{"floatx": "bfloat16"}'),
    "keras.json: float64": keras_json('{"floatx": "float64"}'),
    "keras.json: no number type": keras_json('{"floatx": "float17"}'),
    "keras.json: epsilon is a text": keras_json('{"epsilon": "small"}'),
    "keras.json: channels first": keras_json('{"image_data_format": "channels_first"}'),
    "keras.json: unknown backend": keras_json('{"backend": "theano"}'),
    "keras.json is a folder": 'mkdir -p home/.keras/keras.json; unset KERAS_HOME; HOME=$PWD/home exec "$@"',
    "MPLCONFIGDIR cannot be written": 'MPLCONFIGDIR=/proc exec "$@"',
    "MPLCONFIGDIR is a file": 'MPLCONFIGDIR=$PWD/photo.png exec "$@"',
    "matplotlibrc is damaged": (
        'mkdir mpl; printf "figure.dpi: many\\nnonsense\\n\\xff" > mpl/matplotlibrc; MPLCONFIGDIR=$PWD/mpl exec "$@"'
    ),
    "MPLBACKEND is unknown": 'MPLBACKEND=nonsense exec "$@"',
    "TMPDIR does not exist": 'TMPDIR=/nonexistent exec "$@"',
    "TMPDIR cannot be written": 'TMPDIR=/proc exec "$@"',
    "TMPDIR is full": mounted(
        "mkdir -p full; mount -t tmpfs -o size=4k none full; head -c 4096 /dev/zero > full/x; export TMPDIR=$PWD/full"
    ),
    "no temporary folder": 'TMPDIR=/proc exec "$@"',
    **{f"ulimit -v {kb}": f'ulimit -v {kb}; exec "$@"' for kb in (60_000, 200_000, 500_000, 1_000_000, 1_500_000)},
    **{f"ulimit -v {kb}": f'ulimit -v {kb}; exec "$@"' for kb in (2_000_000, 3_000_000, 4_000_000, 8_000_000)},
    **{f"ulimit -n {n}": f'ulimit -n {n}; exec "$@"' for n in (8, 14, 20, 30, 64)},
    **{f"ulimit -f {kb}": f'ulimit -f {kb}; exec "$@"' for kb in (0, 4, 16, 64)},
    **{f"ulimit -u {n}": f'ulimit -u {n}; exec setpriv --reuid 12346 --clear-groups "$@"' for n in (1, 3, 20)},
    "ulimit -St 2": 'ulimit -St 2; exec "$@"',
    "ulimit -t 3": 'ulimit -t 3; exec "$@"',
    **{f"ulimit -s {kb}": f'ulimit -s {kb}; exec "$@"' for kb in (200, 1024, "unlimited")},
    "ulimit -l 0": 'ulimit -l 0; exec "$@"',
    "the working directory is gone": 'mkdir gone; cd gone; rmdir ../gone; exec "$@"',
    "the working directory cannot be written": 'cd /proc; exec "$@"',
    "/proc is missing": mounted("mount -t tmpfs none /proc"),
    "/proc/cpuinfo is damaged": mounted("head -c 5000 /dev/urandom > cpu; mount --bind cpu /proc/cpuinfo"),
    "/proc/cpuinfo is empty": mounted("mount --bind /dev/null /proc/cpuinfo"),
    "/proc/meminfo is empty": mounted("mount --bind /dev/null /proc/meminfo"),
    "/sys is missing": mounted("mount -t tmpfs none /sys"),
    "the cgroup's files are damaged": mounted(
        "mount -t tmpfs none /sys/fs/cgroup; cd /sys/fs/cgroup; echo -5 > memory.max; echo many > memory.current; "
        "head -c 99 /dev/urandom > memory.stat; cd - > /dev/null"
    ),
    "the cgroup's limit is 0": mounted(
        "mount -t tmpfs none /sys/fs/cgroup; cd /sys/fs/cgroup; echo 0 > memory.max; echo 99 > memory.current; "
        "echo inactive_file 0 > memory.stat; cd - > /dev/null"
    ),
    "one processor": 'exec taskset -c 0 "$@"',
    "PYTHONHASHSEED": 'PYTHONHASHSEED=4294967295 exec "$@"',
    "PYTHONWARNINGS=error": 'PYTHONWARNINGS=error exec "$@"',
    "PYTHONWARNINGS=always": 'PYTHONWARNINGS=always exec "$@"',
    "PYTHONOPTIMIZE=2": 'PYTHONOPTIMIZE=2 exec "$@"',
    "PYTHONDEVMODE=1": 'PYTHONDEVMODE=1 exec "$@"',
    "PYTHONSAFEPATH=1": 'PYTHONSAFEPATH=1 exec "$@"',
    "PYTHONPYCACHEPREFIX=/proc": 'PYTHONPYCACHEPREFIX=/proc exec "$@"',
    "LANG=C without UTF-8": 'LANG=C LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 exec "$@"',
    "LC_ALL is unknown": 'exec env LC_ALL=xx_YY.UTF-9 "$@"',
    "TZ is unknown": 'TZ=No/Where exec "$@"',
    "TERM is unknown": 'TERM=nonsense COLUMNS=many LINES=-1 exec "$@"',
    **{f"KERAS_BACKEND={name}": f'KERAS_BACKEND={name} exec "$@"' for name in ("jax", "torch", "tensorflow", "numpy")},
    **{
        f"KERAS_BACKEND={name}": f'KERAS_BACKEND={name} exec "$@"'
        for name in ("openvino", "nonsense", "''", "'a b'", "JAX")
    },
    **{f"CUDA_VISIBLE_DEVICES={v}": f'CUDA_VISIBLE_DEVICES={v} exec "$@"' for v in ("nonsense", "-1", "99", "''")},
    **{f"OMP_NUM_THREADS={v}": f'OMP_NUM_THREADS={v} exec "$@"' for v in ("nonsense", "0", "-5", "100000")},
    **{
        f"{name}={value}": f'export {name}={value}; exec "$@"'
        for name, value in (
            ("TF_NUM_INTRAOP_THREADS", "nonsense"),
            ("TF_NUM_INTEROP_THREADS", "-3"),
            ("TF_XLA_FLAGS", "--nonsense"),
            ("XLA_FLAGS", "--nonsense"),
            ("TF_CPP_MIN_LOG_LEVEL", "nonsense"),
            ("TF_CPP_MAX_VLOG_LEVEL", "1"),
            ("TF_ENABLE_ONEDNN_OPTS", "nonsense"),
            ("TF_USE_LEGACY_KERAS", "1"),
            ("TF_DETERMINISTIC_OPS", "1"),
            ("OPENBLAS_NUM_THREADS", "nonsense"),
            ("PYTHONMALLOC", "malloc_debug"),
        )
    },
    **{
        f"JAX, {name}={value}": f'export KERAS_BACKEND=jax {name}={value}; exec "$@"'
        for name, value in (
            ("JAX_COMPILATION_CACHE_DIR", "/proc"),
            ("JAX_PLATFORMS", "nonsense"),
            ("JAX_PLATFORMS", "cuda"),
            ("JAX_ENABLE_X64", "1"),
            ("JAX_DISABLE_JIT", "1"),
            ("JAX_DEBUG_NANS", "nonsense"),
            ("XLA_FLAGS", "--nonsense"),
            ("XDG_CACHE_HOME", "/proc"),
        )
    },
    "no network": 'https_proxy=http://127.0.0.1:9 exec "$@" --network vgg16 --set features={block1_conv2=0.05}',
    "the proxy is nonsense": 'https_proxy=nonsense::1 exec "$@" --network vgg16 --set features={block1_conv2=0.05}',
    "the clock runs backwards": (
        f"mkdir -p clock; echo '{BACKWARDS}' > clock/sitecustomize.py; PYTHONPATH=$PWD/clock:$PYTHONPATH exec \"$@\""
    ),
    "stdin is closed": 'exec "$@" <&-',
    "nohup": 'exec nohup "$@"',
    "setsid": 'exec setsid "$@"',
    "timeout": 'exec timeout 100 "$@"',
    "nice": 'exec nice -n 19 "$@"',
    "an empty environment": 'exec env -i PYTHONPATH="$PYTHONPATH" "$@"',
    "umask 777": 'umask 777; exec "$@"',
    "umask 777, no name": 'chmod 777 .; umask 777; exec setpriv --reuid 12345 --clear-groups "$@"',
    "output in /proc": 'exec "$@" --output /proc/dream',
    "output in /sys": 'exec "$@" --output /sys/dream',
    "output in /dev/full": 'exec "$@" --output /dev/full',
    "output below a file": 'exec "$@" --output photo.png/dream',
    "output has a name of 255 bytes": f'exec "$@" --output {"n" * 255}',
    "output has a name of 256 bytes": f'exec "$@" --output {"n" * 256}',
    "output has a path of 5000 bytes": f'exec "$@" --output {"n/" * 2500}',
    "output is a broken link": 'ln -s nowhere link; exec "$@" --output link',
    "output is empty": "exec \"$@\" --output ''",
    "output on a small disk": mounted(
        'mkdir -p disk; mount -t tmpfs -o size=40k none disk; set -- "$@" --output disk/run'
    ),
}


# In these, the interpreter, NumPy or the backend ends the process before the command can say a word, or the system
# kills it. Nothing may be lost: a run that was started can be resumed.
DEADLY = {
    *("/proc is missing", "TF_XLA_FLAGS=--nonsense", "JAX, XLA_FLAGS=--nonsense"),
    *("ulimit -u 1", "ulimit -t 3"),
}


@dataclass(frozen=True)
class Told:
    """How a command ended: its exit code and the lines on stderr."""

    code: int
    err: str

    def faults(self) -> list[str]:
        """List what is wrong with it. Without an error, stderr is empty. Otherwise it has one line."""
        lines = self.err.splitlines()
        found = ["a traceback"] if "Traceback" in self.err else []
        found += [] if self.code in (0, 2, 130) else [f"exit code {self.code}"]
        return found if len(lines) == (self.code != 0) else [*found, f"{len(lines)} lines on stderr: {self.err[:500]}"]


def prepare(folder: Path) -> None:
    """Write the picture and the settings of the runs."""
    y, x = np.mgrid[0:48, 0:64]
    waves = 127.5 + 90 * np.stack([np.sin(x / 7 + phase) * np.cos(y / 5 - phase) for phase in (0, 1, 2)], axis=2)
    Image.fromarray(waves.astype(np.uint8)).save(folder / "photo.png")
    (folder / "fast.toml").write_text(FAST)
    folder.chmod(0o777)  # some surroundings have another user


def is_possible(surrounding: str, folder: Path) -> bool:
    """Return whether this machine and this user can make the surrounding: some need root."""
    line = SURROUNDINGS[surrounding]
    if "unshare" not in line and "setpriv" not in line:
        return True
    words = ["bash", "-c", line, "bash", sys.executable, "-c", "import dreamscripts"]
    return subprocess.run(words, cwd=folder, capture_output=True).returncode == 0


def run_in(surrounding: str, folder: Path, *command: str) -> Told:
    """Run `dreamscripts …` in a surrounding."""
    words = ["bash", "-c", SURROUNDINGS[surrounding], "bash", sys.executable, "-m", "dreamscripts", *command]
    done = subprocess.run(words, cwd=folder, capture_output=True, timeout=300)
    return Told(done.returncode, done.stderr.decode(errors="replace"))
