"""Explain wrong arguments of the command line in one line: what is wrong, and what to write instead."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from dreamscripts.errors import did_you_mean, plain_words, quoted

CHANGEABLE = ("dream", "batch", "compare", "video", "zoom")  # commands whose --set changes any setting


def explain(complaint: str, arguments: Sequence[str], commands: Iterable[str]) -> str:
    """Rephrase a complaint of Typer about the `arguments` of the program. `commands` are the names of its commands."""
    complaint = " ".join(complaint.split())
    command = arguments[0] if arguments else ""
    if found := re.match(r"Got unexpected extra argument\(?s?\)? \((.*)\)", complaint):
        return _too_many(command, found[1])
    if found := re.match(r"No such command '(.*?)'\.", complaint):
        return _no_command(command, found[1], commands)
    if found := re.match(r"No such option: (\S+)(?: \(Possible options: (.*)\))?(?: Did you mean (.*)\?)?", complaint):
        possible = (found[2] or found[3] or "").split(", ")
        return _no_option(command, found[1], possible, arguments)
    if found := re.match(r"Option '(.*)' requires an argument", complaint):
        return f"{found[1]} needs a value"
    if found := re.match(r"Missing (?:argument|option) '(.*?)'", complaint):
        return f"{found[1]} is missing; `dreamscripts {command} --help` shows how to use the command"
    if found := re.match(r"Invalid value for '(.*?)': (.*)", complaint):
        return f"{found[1]}: {plain_words(found[2])}"
    return plain_words(complaint)


def _too_many(command: str, extra: str) -> str:
    if command == "dream":
        return f"dream takes one picture, so {extra} is too much; for several: dreamscripts batch PHOTO..."
    return f"{command}: too many arguments; remove {extra}"


def _no_command(command: str, name: str, commands: Iterable[str]) -> str:
    from dreamscripts.images.file_kinds import ENDINGS
    from dreamscripts.settings.loading import named_files

    is_settings = name in named_files() or Path(name).suffix == ".toml"
    if command == "settings":
        use = f"use: dreamscripts settings show {quoted(name)}" if is_settings else "use `show` or `new`"
        return f"settings has no command '{name}'; {use}"
    if is_settings:
        return f"'{name}' is no command; to dream with these settings: dreamscripts dream PHOTO -s {quoted(name)}"
    if Path(name).suffix.lower() in ENDINGS:
        return f"the command is missing; use: dreamscripts dream {quoted(name)}"
    return f"there is no command '{name}'{did_you_mean(name, commands)}; `dreamscripts --help` lists all"


def _no_option(command: str, option: str, possible: Sequence[str], arguments: Sequence[str]) -> str:
    if command in CHANGEABLE and (key := _setting(option.removeprefix("--").replace("-", "_"))):
        return f"{command} has no option {option}; use --set {quoted(f'{key}={_value_of(option, arguments)}')}"
    return f"{command} has no option {option}{did_you_mean(option, possible)}"


def _value_of(option: str, arguments: Sequence[str]) -> str:
    """Return the value that follows an option, or the word VALUE."""
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        if argument == option:
            return "VALUE" if following.startswith("-") else following
        if argument.startswith(f"{option}="):
            return argument.removeprefix(f"{option}=")
    return "VALUE"


def _setting(name: str) -> str | None:
    """Return the setting that a person who writes `--name` probably means: with its dots, or None."""
    from dreamscripts.settings.explaining import known_keys
    from dreamscripts.settings.schema import Settings

    keys = [*known_keys(Settings)]
    if f"{name}.name" in keys:
        return f"{name}.name"
    return next((key for key in keys if key == name or key.endswith(f".{name}")), None)
