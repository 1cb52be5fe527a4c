"""What the benchmark makes of what it saw; how fast anything is, no test says."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, date, datetime

import pytest

from gm.signing import generate_key_pair
from policy.areas import pool_of
from policy.areas import province_of as by_the_table
from proof.months import province_of
from tests.bench.choice import CASES, Choice, NotUnderstood
from tests.bench.figures import curve, in_pairs, of_shots, quantiles, stall
from tests.bench.generator import Shots
from tests.bench.letters import CAPTURE, HOLD, HoldScript, Signing
from tests.bench.machine import Memory, Meter
from tests.bench.month import Cut, sides
from tests.bench.payers import POOLS, pair_of
from tests.bench.report import AT_THE_TOP, TOLD, broken, notes
from tests.support.town import PLAYED


def shots_of(*answers: tuple[str, int, float, float]) -> Shots:
    """Key, status, latency in seconds, and when the answer was there."""
    return Shots(
        keys=[key for key, _, _, _ in answers],
        statuses=[status for _, status, _, _ in answers],
        latencies=[latency for _, _, latency, _ in answers],
        ended=[ended for _, _, _, ended in answers],
        took_seconds=2.0,
    )


def test_quantiles_are_answers_that_were_given() -> None:
    assert quantiles([float(n) for n in range(1, 101)]) == {
        "p50_ms": 50.0,
        "p95_ms": 95.0,
        "p99_ms": 99.0,
        "max_ms": 100.0,
    }
    assert quantiles([7.0]) == dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "max_ms"), 7.0)
    assert quantiles([]) == {}
    assert curve([0.002, 0.001])[0] == 1.0
    assert curve([0.002, 0.001])[-1] == 2.0


def test_a_hold_and_its_capture_count_once_and_take_as_long_as_both() -> None:
    shots = shots_of(
        (f"{HOLD}a-1", 201, 0.010, 1.0),
        (f"{HOLD}a-2", 201, 0.020, 1.0),
        (f"{CAPTURE}a-2", 200, 0.005, 1.1),
        (f"{CAPTURE}a-1", 503, 0.001, 1.1),
        (f"{HOLD}a-3", 422, 0.001, 1.1),
    )
    pairs = in_pairs(shots, HOLD, CAPTURE)
    assert pairs.keys == ["a-2", "a-1"]
    assert pairs.latencies == pytest.approx([0.025, 0.011])
    figures = of_shots(pairs)
    assert figures["rate"] == 0.5, "the one that was captured, in two seconds"
    assert figures["p50_ms"] == figures["max_ms"] == 25.0
    assert of_shots(shots)["answers"] == {"200": 1, "201": 2, "422": 1, "503": 1}


def test_a_stall_is_the_longest_gap_or_wait_around_the_cut_and_no_other() -> None:
    shots = shots_of(
        ("bench-1", 201, 0.01, 1.0),
        ("bench-2", 201, 0.90, 1.9),  # slow, but over before the month is cut
        ("bench-3", 201, 0.01, 2.0),
        ("bench-4", 201, 0.30, 2.3),
        ("bench-5", 201, 0.45, 2.31),
        ("bench-6", 201, 0.01, 2.4),
    )
    found = stall(shots, 2.05, 2.2)
    assert found["gap_ms"] == 300.0
    assert found["worst_ms"] == 450.0
    assert found["stall_ms"] == 450.0
    assert found["gap_otherwise_ms"] == 900.0
    assert found["worst_otherwise_ms"] == 900.0
    assert stall(shots, 1.2, 1.3)["stall_ms"] == 900.0


def test_a_cut_that_nobody_paid_beside_measures_nothing() -> None:
    shots = shots_of(("bench-1", 201, 0.01, 1.0), ("bench-2", 201, 0.01, 3.0))
    cut = Cut(period="2026-11", since=1.5, until=2.0)
    assert sides(shots, cut) == {"before": 1, "during": 0, "after": 1}
    for late in (
        Cut(period="2026-11", since=0.5, until=0.6),
        Cut(period="2026-11", since=4, until=5),
    ):
        with pytest.raises(AssertionError):
            sides(shots, late)


def test_a_hold_is_followed_by_its_capture_and_by_nothing_else() -> None:
    pair = generate_key_pair("ed25519")
    signing = Signing(key_id="k", algorithm="ed25519", private=pair.private)
    script = HoldScript(url="http://gateway", signing=signing, tokens=["t"])
    letter, *_ = script.write(3, datetime.now(UTC))
    assert letter.key.startswith(HOLD)
    assert json.loads(letter.wire.partition(b"\r\n\r\n")[2])["capture"] is False

    held = json.dumps({"payment_id": "p1", "state": "held"}).encode()
    capture = script.follow(letter.key, held)
    assert capture is not None
    assert capture.key == CAPTURE + letter.key.removeprefix(HOLD)
    assert capture.wire.startswith(b"POST /v1/payments/p1/capture HTTP/1.1\r\n")

    refused = json.dumps({"code": "quota-insufficient", "status": 422}).encode()
    assert script.follow(letter.key, refused) is None
    captured = json.dumps({"payment_id": "p1", "state": "captured"}).encode()
    assert script.follow(capture.key, captured) is None


def test_pools_lie_in_provinces_that_nobody_plays_as_the_table_has_them() -> None:
    today = date(2026, 11, 30)
    assert len(POOLS) == 32 - len(PLAYED)
    assert not {by_the_table(pool, today) for pool in POOLS} & set(PLAYED)
    for pool in POOLS:
        assert pool_of(pool, today) == pool
        assert province_of(pool) == by_the_table(pool, today)


def test_pairs_are_any_or_one() -> None:
    choice = random.Random(1)
    assert {pair_of(choice, "one") for _ in range(100)} == {(POOLS[0], POOLS[1])}
    found = {pair_of(choice, "random") for _ in range(20_000)}
    assert len(found) == len(POOLS) ** 2, "those inside a province, too"


def test_memory_is_that_of_the_process_and_what_it_had_at_most() -> None:
    meter = Meter({"self": os.getpid()}, postgres=os.getpid(), admin_dsn="", databases={})
    with Memory(meter, "self") as memory:
        filler = bytearray(os.urandom(1 << 20) * 64)
    assert len(filler) == 64 << 20
    figures = memory.figures()
    assert figures["rss_max_mb"]["self"] >= figures["rss_mb"]["self"] + 60
    assert figures["rss_grew_mb"] >= 60


def test_cases_are_chosen_one_by_one() -> None:
    chosen = Choice.read({"BENCH_CASES": "cut, drain_lines", "BENCH_LINES": "1000000"})
    assert chosen.cases == ("cut", "drain_lines")
    assert chosen.lines == 1_000_000
    assert Choice.read({}).cases == CASES
    assert Choice.read({}).lines < 100_000
    with pytest.raises(NotUnderstood, match="no case cuts"):
        Choice.read({"BENCH_CASES": "cuts"})
    with pytest.raises(NotUnderstood, match="BENCH_LINES"):
        Choice.read({"BENCH_LINES": "many"})


def test_what_is_told_of_a_case_is_of_one_that_there_is() -> None:
    assert set(TOLD) <= set(CASES)
    assert {case for case, _ in AT_THE_TOP.values()} <= set(CASES)


def test_a_run_says_what_a_cut_cost_and_what_is_broken() -> None:
    told = {
        "cut": {
            **dict.fromkeys(("gap_ms", "worst_ms", "gap_otherwise_ms", "worst_otherwise_ms"), 7.0),
            **{"stall_ms": 812.5, "cut_ms": 90.0, "told_after_seconds": 0.1},
            **{"balanced_seconds": 0.4, "answers": {"201": 9, "200": 1, "503": 2}},
            "invariants": {"I1": "ok", "I9": "1 broken: settlement has a line twice"},
        }
    }
    said = notes(told)
    assert any("stalled for 812.5 ms" in each for each in said)
    assert "cut: other answers {'503': 2}" in said
    assert broken(told) == ["cut: I9 1 broken: settlement has a line twice"]
