"""Every setting and the shape of its value; one that is missing or misspelt is refused at start."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Grade = Literal["A", "B", "C", "D", "U"]
Percent = Annotated[int, Field(ge=0, le=100)]
PositiveFen = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=1)]
Kind = Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
HospitalLevel = Literal["1", "2", "3", "ungraded"]


class Shape(BaseModel):
    """Strict and closed: a float for a whole number or a misspelt key is refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Purpose(Shape):
    """What may be paid for (R10): where, which kinds of items, how long a hold may live."""

    institution_kind: Literal["hospital", "pharmacy"]
    item_categories: frozenset[Literal["drug", "device", "consumable", "service"]]
    items_required: bool
    hold_seconds_default: Seconds
    hold_seconds_max: Seconds

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.hold_seconds_default > self.hold_seconds_max:
            raise ValueError("hold_seconds_default lies above hold_seconds_max")
        return self


class LegacyLimits(Shape):
    """Limits of the transfer model (R14), each in Beijing time and whole fen."""

    payments_a_day: Annotated[int, Field(ge=1)]
    amount_fen: PositiveFen
    closed_from: ClockTime
    closed_until: ClockTime


class Prefund(Shape):
    """How a prefund is sized and watched (R16)."""

    months_of_mean: Annotated[int, Field(ge=1)]
    warn_percent: Percent
    red_percent: Percent
    top_up_on_red: bool

    @model_validator(mode="after")
    def _warns_before_red(self) -> Self:
        if self.warn_percent >= self.red_percent:
            raise ValueError("warn_percent does not lie below red_percent")
        return self


class Rate(Shape):
    """Share of the eligible cost that the pooled fund pays."""

    active_percent: Percent
    retired_percent: Percent


class OutpatientBenefit(Shape):
    """A pool's outpatient benefit (rules §3): used to quote a bill, never to decide a payment."""

    kinds: tuple[str, ...]
    rates: Mapping[HospitalLevel, Rate]
    yearly_cap_fen: PositiveFen
    out_of_area_needs_registration: bool


class Settings(Shape):
    """What holds in one place on one day."""

    area_open: bool
    relation_kinds: frozenset[Kind]
    regional_relation_kinds: frozenset[Kind]
    relation_cap: Annotated[int, Field(ge=1)] | None
    deduction_order: Literal["own_first", "shared_first"]
    intra_province_relations: bool
    kinship_checked: bool
    scheme_change_seconds: Annotated[int, Field(ge=0)]
    registration_required: bool
    legacy_limits: LegacyLimits | None
    fund_pay_includes_account: bool
    purposes: Mapping[Literal["outpatient", "inpatient", "pharmacy"], Purpose]
    prefund: Prefund
    consent_age: Annotated[int, Field(ge=0, le=150)]
    commitment_versions: frozenset[str]
    outpatient_benefit: OutpatientBenefit | None

    @property
    def all_relation_kinds(self) -> frozenset[str]:
        """The national kinds and the region's own (R2)."""
        return self.relation_kinds | self.regional_relation_kinds
