"""Races at a counter's door: many requests at the same moment, none of them a patient one.

What was busy or away is settled afterwards under the same key, as its caller would.
"""

from __future__ import annotations

import json
from collections import Counter as Tally

from tests.support.town import Site, Town
from tests.support.town_families import Family
from tests.support.town_people import Counter, Said, new_key
from tests.support.town_volley import volley

SPENDERS = 200
QUOTA_FEN = 10_000
AMOUNT_FEN = 70
"""A hundred and forty-two of them find money, with 60 fen left over."""

SUCCEED = QUOTA_FEN // AMOUNT_FEN
TIMES = 50


async def at_once(town: Town, counter: Counter, keys: list[str], body: bytes) -> list[Said]:
    """The same body under each key, signed anew each, all on their way before one is answered."""
    letters = [counter.letter("POST", "/v1/payments", body, key) for key in keys]
    answers = await volley(letters)
    for n, (letter, said) in enumerate(zip(letters, answers, strict=True)):
        if said.status in (429, 503):
            answers[n] = await counter.send(
                "POST", "/v1/payments", body, keys[n], known_as=counter.code
            )
        else:
            town.messenger.remember(letter, said, counter.code)
    return answers


async def two_hundred_spend(town: Town, family: Family) -> None:
    """F19: of a family with QUOTA_FEN exactly as many succeed as it is good for."""
    counter = town.counter()
    body = json.dumps(counter.payment(family.token, AMOUNT_FEN)).encode()
    answers = await at_once(town, counter, [new_key() for _ in range(SPENDERS)], body)
    assert Tally(said.code or str(said.status) for said in answers) == {
        "201": SUCCEED,
        "quota-insufficient": SPENDERS - SUCCEED,
    }
    books = await family.books()
    spent = SUCCEED * AMOUNT_FEN
    assert (books["available"], books["spent"]) == (QUOTA_FEN - spent, spent)


async def one_key_fifty_times(town: Town, family: Family, *processes: str) -> None:
    """F22: one effect and one answer for ever; `processes` are killed in between."""
    counter, key, watchman = town.counter(), new_key(), town.site.watchman
    body = json.dumps(counter.payment(family.token, 700)).encode()
    other = json.dumps(counter.payment(family.token, 701)).encode()
    before = await family.books()

    first = await at_once(town, counter, [key] * TIMES, body)
    assert sum(not said.replayed for said in first) <= 1
    assert {(said.status, said.body) for said in first} == {(201, first[0].body)}
    refused = await counter.send("POST", "/v1/payments", other, key)
    assert (refused.status, refused.code) == (422, "key-reused")

    for name in processes:
        await watchman.kill(name)
    for name in processes:
        await watchman.ready_again(name)
    again = await at_once(town, counter, [key] * TIMES, body)
    assert all(said.replayed for said in again)
    assert {(said.status, said.body) for said in again} == {(201, first[0].body)}
    refused = await counter.send("POST", "/v1/payments", other, key)
    assert (refused.status, refused.code) == (422, "key-reused")
    after = await family.books()
    assert after == {
        **before,
        "available": before["available"] - 700,
        "spent": before["spent"] + 700,
    }


async def batches(town: Town, site: Site, name: str = "wallet") -> dict[str, float]:
    """How many batches a wallet's doors have performed, and of how many jobs in all."""
    port = site.watchman[name].program.env["PORT"]
    text = (await town.messenger.http.get(f"http://127.0.0.1:{port}/metrics")).text
    return {
        what: sum(
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith(f"door_batch_jobs_{what}")
        )
        for what in ("sum", "count")
    }
