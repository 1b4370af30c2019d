"""`dreamscripts settings`: list the named settings, print a settings file, or copy it to change it."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="List the named settings, print a settings file, or copy it to change it.", invoke_without_command=True
)


@app.callback()
def list_settings(context: typer.Context) -> None:
    """List the named settings."""
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Table

    from dreamscripts.settings.loading import named

    table = Table.grid(padding=(0, 2))
    for name, comment in named().items():
        table.add_row(f"[bold]{name}[/]", comment)
    Console(highlight=False).print(table)


@app.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="Settings: a name or a TOML file.")]) -> None:
    """Print a settings file with its comments."""
    from dreamscripts.settings.loading import read_text

    print(read_text(name), end="")


@app.command("new")
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file, for example mine.toml.")],
    from_: Annotated[str, typer.Option("--from", metavar="NAME", help="The settings to copy.")] = "dreamy",
) -> None:
    """Copy settings to FILE, so that you can change them there."""
    from dreamscripts.atomic_files import write_atomically
    from dreamscripts.errors import OutputError
    from dreamscripts.settings.loading import read_text

    if file.suffix != ".toml":
        raise OutputError(f"{file}: the name of a settings file must end in .toml")
    if file.exists():
        raise OutputError(f"{file}: already exists; choose another name")
    write_atomically(file, read_text(from_).encode())
    print(f"{file}: edit this file, then use it: dreamscripts dream PHOTO --settings {file}")
