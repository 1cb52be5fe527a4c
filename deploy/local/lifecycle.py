"""What the person at the terminal asks for: up, down, reset, restart. Talks to the supervisor."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from filelock import FileLock

from deploy.local import foreign
from deploy.local.checkout import ROOT, Checkout, read_json, write_json
from deploy.local.choice import Choice, port_variable
from deploy.local.ports import PortTaken, is_free
from deploy.local.program import tail
from deploy.local.supervisor import STOP_SECONDS

Say = Callable[[str], None]

UP_SECONDS = 600  # the first time, jars and databases come into being
DOWN_SECONDS = 60
RESTART_SECONDS = 60


class NotDone(Exception):
    """What was asked for could not be done; the message says why, and what to do."""


def alive(recorded: dict[str, Any]) -> psutil.Process | None:
    """The recorded process, if its pid still means the same process."""
    try:
        process = psutil.Process(recorded["pid"])
        if abs(process.create_time() - recorded["created"]) > 1:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


@contextmanager
def alone(checkout: Checkout) -> Iterator[None]:
    checkout.var.mkdir(parents=True, exist_ok=True)
    with FileLock(checkout.var / "lifecycle.lock"):
        yield


def running(checkout: Checkout) -> dict[str, Any] | None:
    """What the supervisor says of itself, if there is one."""
    state = read_json(checkout.state_file)
    return state if state and alive(state) else None


def up(checkout: Checkout, choice: Choice, say: Say) -> None:
    """Return when all is ready. With other settings than it runs with, the stack starts anew."""
    with alone(checkout):
        state = running(checkout)
        if state and state["choice"] == choice.as_json() and not state["error"]:
            await_up(checkout, None, say)
            return
        if state:
            say("settings changed, starting anew")
        stop_everything(checkout, say)
        check_installation(checkout, choice)
        for service, port in choice.ports.items():
            if not is_free(port):
                raise PortTaken(port, port_variable(service))
        await_up(checkout, launch(checkout), say)


def check_installation(checkout: Checkout, choice: Choice) -> None:
    """The number of cells was fixed when the data came into being."""
    wanted = {
        "cells": choice.cells,
        "database_url": choice.database_url,
        "kafka": choice.kafka,
        "topic_prefix": choice.topic_prefix,
    }
    found = read_json(checkout.installation_file)
    if found and found["database_url"] == choice.database_url and found["cells"] != choice.cells:
        raise NotDone(
            f"this installation has {found['cells']} cells, which is fixed for its life; "
            f"`make reset` forgets its data, then CELLS={choice.cells} make up\n"
            f"分片数在安装时即已固定；请先执行 make reset"
        )
    write_json(checkout.installation_file, wanted)


def launch(checkout: Checkout) -> subprocess.Popen[bytes]:
    checkout.state_file.unlink(missing_ok=True)
    checkout.stack_file.unlink(missing_ok=True)
    log = checkout.log("supervisor")
    if log.parent.exists():
        # Kept for one more start: the reason for a crash may be in there.
        before = log.parent.with_suffix(".before")
        shutil.rmtree(before, ignore_errors=True)
        log.parent.rename(before)
    log.parent.mkdir(parents=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "supervise"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            start_new_session=True,
        )


def await_up(checkout: Checkout, started: subprocess.Popen[bytes] | None, say: Say) -> None:
    """Follow the supervisor's word until all is ready; raises NotDone with its reason."""
    told: set[str] = set()
    deadline = time.monotonic() + UP_SECONDS
    while True:
        gone = started is not None and started.poll() is not None
        state = read_json(checkout.state_file)
        if state and state["error"]:
            raise NotDone(state["error"])
        if gone or (started is None and running(checkout) is None):
            raise NotDone(f"the stack did not start:\n{tail(checkout.log('supervisor'))}")
        if state:
            for line in news(state):
                if line not in told:
                    told.add(line)
                    say(line)
            if state["up"] and checkout.stack_file.exists():
                return
        if time.monotonic() > deadline:
            raise NotDone(f"not ready within {UP_SECONDS} s; see {checkout.var / 'log'}")
        time.sleep(0.05)


def news(state: dict[str, Any]) -> Iterator[str]:
    if state["doing"]:
        yield state["doing"]
    for name, child in state["children"].items():
        if child["state"] == "ready":
            yield f"{name} is ready"


def down(checkout: Checkout, say: Say) -> bool:
    """Stop all that runs; whether anything did."""
    with alone(checkout):
        return stop_everything(checkout, say)


def stop_everything(checkout: Checkout, say: Say) -> bool:
    state = read_json(checkout.state_file)
    if state is None:
        return False
    supervisor = alive(state)
    children = [each for each in map(alive, state["children"].values()) if each]
    if supervisor:
        say("stopping")
        supervisor.terminate()
        try:
            supervisor.wait(DOWN_SECONDS)
        except psutil.TimeoutExpired:
            supervisor.kill()
    # The supervisor stops its children; these outlived one that was killed.
    for child in children:
        if child.is_running():
            child.terminate()
    _, left = psutil.wait_procs(children, timeout=15)
    for child in left:
        child.kill()
    checkout.state_file.unlink(missing_ok=True)
    checkout.stack_file.unlink(missing_ok=True)
    return supervisor is not None or bool(children)


def reset(checkout: Checkout, choice: Choice, say: Say) -> None:
    """Stop, and forget all data: our folders, and what is ours on other people's servers."""
    with alone(checkout):
        stop_everything(checkout, say)
        used = read_json(checkout.installation_file) or {}
        database_url = used.get("database_url") or choice.database_url
        if database_url:
            # Only names that carry this checkout's mark.
            mark = f"gongji_{checkout.mark}_"
            asyncio.run(foreign.drop_databases(database_url, mark))
        kafka = used.get("kafka") or choice.kafka
        prefix = used.get("topic_prefix") or choice.topic_prefix
        if kafka and prefix:
            asyncio.run(foreign.delete_topics(kafka, prefix))
        for folder in (checkout.pgdata, checkout.kafka, checkout.sandbox):
            shutil.rmtree(folder, ignore_errors=True)
        checkout.installation_file.unlink(missing_ok=True)


def restart(checkout: Checkout, name: str) -> None:
    """Ask one process to stop; the supervisor starts it again. Returns when it is ready."""
    state = running(checkout)
    if state is None or not state["up"]:
        raise NotDone("nothing is running; `make up` first / 尚未启动，请先执行 make up")
    if name not in state["children"]:
        known = ", ".join(state["children"])
        raise NotDone(f"NAME={name or '?'} is none of {known} / NAME 应为其中之一")
    before = state["children"][name]
    process = alive(before)
    if process:
        os.kill(process.pid, signal.Signals(before["stop_signal"]))
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    deadline = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < deadline:
        state = running(checkout)
        if state is None:
            break
        now = state["children"].get(name)
        if now and now["pid"] != before["pid"] and now["state"] == "ready":
            return
        time.sleep(0.05)
    raise NotDone(f"{name} did not come back:\n{tail(checkout.log(name))}")
