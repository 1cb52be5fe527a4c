"""F19: two hundred spend one quota at once; exactly as many succeed as it is good for."""

from __future__ import annotations

import pytest

from tests.support.fault_evidence import Evidence
from tests.support.town import Site, Town
from tests.support.town_families import family_of
from tests.support.town_races import (
    QUOTA_FEN,
    SPENDERS,
    SUCCEED,
    batches,
    two_hundred_spend,
)


@pytest.mark.fault("F19")
async def test_two_hundred_signed_spends_of_one_quota(
    town: Town, site: Site, fault_evidence: Evidence
) -> None:
    family = await family_of(town, available_fen=QUOTA_FEN)
    before = await batches(town, site)
    await two_hundred_spend(town, family)

    # It was a race: the wallet had many of them before it at a time.
    after = await batches(town, site)
    jobs, in_batches = after["sum"] - before["sum"], after["count"] - before["count"]
    assert jobs >= SPENDERS
    assert jobs / in_batches > 4
    fault_evidence.tell(
        "Two hundred signed payments of one quota, all sent before one is answered."
    )
    fault_evidence.saw("of them in a transaction of the wallet, on average", jobs / in_batches)
    fault_evidence.holds(f"exactly {SUCCEED} of {SPENDERS} succeeded")
