"""What provinces of the outside world say of relatives whom they are asked about (R13)."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest

from contracts.events import BorderPerson, KinshipAsked
from sandbox.domain.behaviour import Behaviour
from sandbox.domain.commands import AnswerKinship, SetBehaviour
from tests.conftest import MigratedDatabase
from tests.support.outside import cores_in


@pytest.mark.parametrize("said", ["yes", "no", "unknown", "silent"])
async def test_a_province_answers_as_it_was_told_to(
    migrated_database: MigratedDatabase, said: str
) -> None:
    async with cores_in(migrated_database("sandbox")) as cores:
        if said != "yes":
            behaviour = Behaviour.model_validate({"kinship": said})
            await cores.perform(SetBehaviour(province="440000", behaviour=behaviour))
        inquiry = KinshipAsked(
            inquiry_id=uuid4(),
            sharer=BorderPerson(psn_no="1", pool_admdvs="440300"),
            beneficiary=BorderPerson(psn_no="2", pool_admdvs="659002"),
            kind="parent",
        )
        await cores.perform(AnswerKinship(province="440000", inquiry=inquiry))
        rows = await cores.pool.fetch("SELECT topic, data FROM outbox")
        answers = [(row["topic"], orjson.loads(row["data"])) for row in rows]
        told = {"inquiry_id": str(inquiry.inquiry_id), "answer": said}
        assert answers == ([] if said == "silent" else [("from.440000", told)])
