"""`dreamscripts settings`: list the named settings, print a settings file, or copy it to change it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from dreamscripts.errors import OutputError, quoted, shown

app = typer.Typer(
    help="List the named settings, print a settings file, or copy it to change it.", invoke_without_command=True
)


@app.callback()
def list_settings(context: typer.Context) -> None:
    """List the named settings."""
    if context.invoked_subcommand:
        return
    from rich.table import Column, Table

    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.loading import named

    table = Table.grid(Column(style="bold", no_wrap=True), Column(), padding=(0, 2))
    for name, comment in named().items():
        table.add_row(name, comment)
    CommandConsole().print_table(table)


@app.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="Settings: a name or a TOML file.")]) -> None:
    """Print a settings file with its comments."""
    from dreamscripts.settings.loading import read_text

    text = read_text(name)
    if sys.stdout.isatty():
        for line in text.splitlines():
            print(shown(line))
    else:  # the same bytes as in the file, whatever the encoding of the output is
        sys.stdout.buffer.write(text.encode())


@app.command("new")
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file, for example mine.toml.")],
    from_: Annotated[str, typer.Option("--from", metavar="NAME", help="The settings to copy.")] = "dreamy",
) -> None:
    """Copy settings to FILE, so that you can change them there."""
    from dreamscripts.atomic_files import write_atomically
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.loading import read_text

    if file.suffix != ".toml":
        raise OutputError(f"{file}: the name of a settings file must end in .toml")
    if file.exists():
        raise OutputError(f"{file}: already exists; choose another name")
    write_atomically(file, read_text(from_).encode())
    command = f"dreamscripts dream PHOTO --settings {quoted(str(file))}"
    CommandConsole().print(f"{file}: edit this file, then use it: {command}")
