"""`python -m sandbox all | api | consume | relay | sweep | migrate | audit | scenario`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.run import cli, run
from sandbox.main import SERVICE

app = cli(SERVICE)


@app.command()
def scenario(
    stack: Annotated[Path, typer.Option(help="What `make up` wrote")] = Path("var/stack.json"),
    chaos: Annotated[str, typer.Option(help="Kill this process in the middle")] = "",
) -> None:
    """Tell the story on a running stack, then prove the invariants."""
    from sandbox.story.scenario import play

    if not run(play(stack, chaos)):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
