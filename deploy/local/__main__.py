"""`python -m deploy.local up | down | reset | restart NAME | run | status`."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import psutil
import typer
from rich.console import Console

from deploy.local import lifecycle
from deploy.local.checkout import ROOT, Checkout, read_json
from deploy.local.choice import Choice, NotUnderstood
from deploy.local.ports import PortTaken
from deploy.local.supervisor import supervise as keep_up

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A whole Gongji on this machine: PostgreSQL, Kafka, the services and the sandbox.\n\n"
    "Variables: GATEWAY_PORT RELATIONS_PORT WALLET_PORT SETTLEMENT_PORT SANDBOX_PORT "
    "POSTGRES_PORT KAFKA_PORT · CELLS · EMPTY_PROVINCES · DATABASE_URL (an admin DSN) and "
    "KAFKA_BOOTSTRAP_SERVERS for servers that are there already · TOPIC_PREFIX.",
)


@contextmanager
def told_plainly() -> Iterator[None]:
    """What a person can mend is said in a sentence or two, without a traceback."""
    try:
        yield
    except (lifecycle.NotDone, NotUnderstood, PortTaken) as problem:
        err.print(str(problem), markup=False, style="red", soft_wrap=True)
        raise typer.Exit(1) from None


@contextmanager
def progress(doing: str) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal, plain lines elsewhere; each piece of news with its second."""
    began = time.monotonic()

    def say(line: str) -> None:
        out.print(f"  {time.monotonic() - began:5.1f} s  {line}", markup=False, soft_wrap=True)

    if out.is_terminal:
        with out.status(doing):
            yield say
    else:
        out.print(doing)
        yield say


@app.command()
def up() -> None:
    """Start everything in the background; return when it is ready."""
    with told_plainly():
        bring_up(Checkout.here())


def bring_up(checkout: Checkout) -> None:
    choice = Choice.read(checkout)
    with progress("Gongji is starting …") as say:
        lifecycle.up(checkout, choice, say)
    stack = read_json(checkout.stack_file)
    assert stack is not None
    out.print(
        f"up: gateway {stack['gateway']}, sandbox {stack['sandbox']}, {checkout.stack_file}",
        soft_wrap=True,
    )


@app.command()
def down() -> None:
    """Stop everything that `up` started, and nothing else."""
    with told_plainly(), progress("Gongji is stopping …") as say:
        if not lifecycle.down(Checkout.here(), say):
            say("nothing was running")


@app.command()
def reset() -> None:
    """Stop everything and forget its data."""
    checkout = Checkout.here()
    with told_plainly(), progress("Gongji forgets …") as say:
        lifecycle.reset(checkout, Choice.read(checkout), say)


@app.command()
def restart(name: Annotated[str, typer.Argument(envvar="NAME")] = "") -> None:
    """Restart one process and wait until it is ready again."""
    with told_plainly(), progress(f"{name or '?'} is restarting …") as say:
        lifecycle.restart(Checkout.here(), name)
        say(f"{name} is ready")


@app.command()
def status() -> None:
    """What runs, under which pid, and where."""
    state = lifecycle.running(Checkout.here())
    if state is None:
        out.print("nothing is running / 未启动")
        raise typer.Exit(1)
    for name, child in state["children"].items():
        port = state["choice"]["ports"].get(name, "")
        out.print(f"  {name:<12} {child['state']:<9} pid {child['pid']:<8} {port}")


@app.command()
def run(chaos: Annotated[str, typer.Option(envvar="CHAOS")] = "") -> None:
    """Play the scenario, on the running stack or on one of its own; exit with its verdict."""
    checkout = Checkout.here()
    signal.signal(signal.SIGTERM, leave)
    with told_plainly():
        found = lifecycle.running(checkout)
        ours = found is None or not found["up"]
        try:
            if ours:
                bring_up(checkout)
            verdict = play(checkout, chaos)
            if ours and sys.stdin.isatty() and sys.stdout.isatty():
                stay(checkout)
        finally:
            if ours:
                with progress("Gongji is stopping …") as say:
                    lifecycle.down(checkout, say)
    raise typer.Exit(verdict)


def leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def play(checkout: Checkout, chaos: str) -> int:
    command = [
        sys.executable,
        "-P",
        "-m",
        "sandbox",
        "scenario",
        "--stack",
        str(checkout.stack_file),
    ]
    if chaos:
        command += ["--chaos", chaos]
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def stay(checkout: Checkout) -> None:
    out.print("The stack stays up; Ctrl-C stops it. / 按 Ctrl-C 停止。")
    state = lifecycle.running(checkout)
    try:
        if state is not None:
            psutil.Process(state["pid"]).wait()
    except (KeyboardInterrupt, psutil.NoSuchProcess):
        out.print()


@app.command(hidden=True)
def supervise() -> None:
    """What `up` leaves in the background."""
    asyncio.run(keep_up())


if __name__ == "__main__":
    app()
