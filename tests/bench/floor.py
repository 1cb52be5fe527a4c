"""The floor: pgbench, one hold a transaction on the wallet's own schema, 32 clients."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.postgres import binaries
from tests.bench.figures import Figures
from tests.bench.machine import Meter, between
from tests.support.databases import Databases, blocking, dsn_name
from tests.support.wallets import purse_on

CLIENTS = 32
QUOTAS = 10_000

_FILL = f"""
INSERT INTO quota (quota_id, relation_id, beneficiary_id, sharer_id, sharer_psn_no, sharer_admdvs,
    kind, related_at, state, granted, available)
SELECT md5(n::text)::uuid, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '1', '320100',
    'parent', now(), 'active', 1000000000000, 1000000000000
FROM generate_series(1, {QUOTAS}) AS n
"""

SCRIPT = f"""
\\set n random(1, {QUOTAS})
BEGIN;
SELECT available FROM quota WHERE quota_id = md5((:n)::text)::uuid FOR UPDATE;
INSERT INTO payment (payment_id, person_id, institution, mdtrtarea_admvs, insuplc_admdvs,
    purpose, state, requested, amount, captured, medfee_sumamt, fulamt_ownpay, overlmt_selfpay,
    preselfpay, inscp_scp, fund_pay_sumamt, hosp_part, psn_part, own_acct_pay, med_type,
    business_date, period, held_at, captured_at)
VALUES (gen_random_uuid(), gen_random_uuid(), 'P65900200001', '659002', '659002',
    'pharmacy', 'captured', 100, 100, 100, 100, 0, 0, 0, 100, 0, 0, 100, 0, '41',
    current_date, '2026-11', now(), now());
INSERT INTO entry (quota_id, source, target, amount, payment_id, period, at)
VALUES (md5((:n)::text)::uuid, 'available', 'spent', 100, gen_random_uuid(), '2026-11', now());
UPDATE quota SET available = available - 100, spent = spent + 100, version = version + 1
WHERE quota_id = md5((:n)::text)::uuid;
COMMIT;
"""


async def fill(dsn: str) -> None:
    async with purse_on(dsn) as purse:
        pool = purse.cells.pools[0]
        await pool.execute(_FILL)
        await pool.execute("ANALYZE quota")


def pgbench(databases: Databases, meter: Meter, seconds: int, folder: Path) -> Figures:
    """Transactions a second and PostgreSQL's CPU for each; pgbench's own is counted apart."""
    dsn = databases.create("bench_floor", databases.template("wallet", 1))
    script = folder / "hold.sql"
    script.write_text(SCRIPT)
    try:
        blocking(fill(dsn))
        before = meter.look()
        said, cpu = run(dsn, script, seconds)
        after = meter.look()
    finally:
        databases.drop(dsn)
    count = int(found(r"transactions actually processed: (\d+)", said))
    figures = between(before, after, count=count, generator_seconds=cpu)
    spent = figures["cpu_us_by"]["postgres"]
    return {
        **figures,
        "clients": CLIENTS,
        "rate": round(float(found(r"tps = ([\d.]+)", said)), 1),
        "mean_ms": round(float(found(r"latency average = ([\d.]+) ms", said)), 2),
        "cpu_us": spent,
        "cpu_us_by": {"postgres": spent, "pgbench": figures["cpu_us_by"]["generator"]},
    }


def run(dsn: str, script: Path, seconds: int) -> tuple[str, float]:
    """What pgbench said, and the CPU seconds it took."""
    address = urlsplit(dsn)
    before = os.times()
    done = subprocess.run(
        [
            *(str(binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2"),
            *("-T", str(seconds), "-f", str(script), "-h", str(address.hostname)),
            *("-p", str(address.port), "-U", str(address.username), dsn_name(dsn)),
        ],
        env={**os.environ, "PGOPTIONS": "-c search_path=cell_0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed:\n{done.stdout}{done.stderr}")
    after = os.times()
    spent = after.children_user + after.children_system
    return done.stdout, spent - before.children_user - before.children_system


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"pgbench did not say {pattern}:\n{text}"
    return match[1]
