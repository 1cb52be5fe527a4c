"""Settings by place and day; files that say something wrong; what the local stack changes."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from policy.areas import all_areas, provinces
from policy.files import PolicyInvalid
from policy.policy import NotInForce, Policy

TODAY = date(2026, 11, 21)
ALAR = "659002"
LOCAL = Path(__file__).parents[2] / "deploy" / "local" / "policy"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load()


@pytest.fixture(scope="module")
def local() -> Policy:
    return Policy.load(LOCAL)


@pytest.mark.rule("R2")
def test_there_are_eight_kinds_and_the_paired_household_of_xinjiang(policy: Policy) -> None:
    national = policy.at("440300", TODAY).all_relation_kinds
    assert len(national) == 8
    for code in (ALAR, "650500"):
        assert policy.at(code, TODAY).all_relation_kinds == national | {"paired_household"}


@pytest.mark.rule("R29")
def test_few_areas_are_open_in_the_real_world(policy: Policy) -> None:
    open_pools = {area.code for area in all_areas(TODAY) if area.level != "county"}
    assert {code for code in open_pools if policy.area_open(code, TODAY)} == {
        "650000",
        "650500",
        "654300",
    }
    assert not policy.area_open(ALAR, TODAY)
    assert not policy.area_open("650500", date(2025, 3, 13))


@pytest.mark.rule("R29")
def test_a_provinces_own_pool_opens_no_other(policy: Policy) -> None:
    assert policy.area_open("650000", TODAY)
    assert not policy.area_open("652900", TODAY)


@pytest.mark.rule("R29")
def test_an_area_that_we_do_not_know_is_not_open(policy: Policy, local: Policy) -> None:
    for code in ("999999", "", "659099"):
        assert not policy.area_open(code, TODAY)
        assert not local.area_open(code, TODAY)


def test_the_local_stack_opens_every_pool_but_one(local: Policy) -> None:
    closed = {area.code for area in all_areas(TODAY) if not local.area_open(area.code, TODAY)}
    assert closed == {"469030"}


@pytest.mark.rule("R15")
def test_only_xinjiang_and_the_xpcc_opt_in_for_their_own(local: Policy) -> None:
    opted_in = {code for code in provinces(TODAY) if local.at(code, TODAY).intra_province_relations}
    assert opted_in == {"650000", "660000"}


@pytest.mark.rule("R26")
def test_alar_asks_for_a_registration(policy: Policy) -> None:
    assert policy.at(ALAR, TODAY).registration_required
    assert not policy.at("659001", TODAY).registration_required


@pytest.mark.rule("R10")
def test_a_pharmacy_sells_no_service_and_a_bed_is_held_for_90_days(policy: Policy) -> None:
    purposes = policy.at(ALAR, TODAY).purposes
    assert purposes["pharmacy"].item_categories == {"drug", "device", "consumable"}
    assert purposes["pharmacy"].items_required
    assert purposes["pharmacy"].institution_kind == "pharmacy"
    assert purposes["inpatient"].hold_seconds_max == 90 * 86400
    assert {purpose.hold_seconds_default for purpose in purposes.values()} == {86400}


def test_defaults_of_the_other_settings(policy: Policy) -> None:
    settings = policy.at("510100", TODAY)
    assert settings.relation_cap is None
    assert settings.deduction_order == "own_first"
    assert settings.legacy_limits is None
    assert settings.consent_age == 16
    assert settings.commitment_versions == {"1"}
    assert (settings.prefund.warn_percent, settings.prefund.red_percent) == (70, 90)
    assert not settings.fund_pay_includes_account
    assert policy.at("440300", TODAY).fund_pay_includes_account


def test_alar_has_its_outpatient_benefit(policy: Policy) -> None:
    benefit = policy.at(ALAR, TODAY).outpatient_benefit
    assert benefit is not None
    assert benefit.yearly_cap_fen == 400_000
    assert benefit.rates["2"].active_percent == 65
    assert benefit.rates["ungraded"].retired_percent == 80
    assert policy.at("440300", TODAY).outpatient_benefit is None


def test_a_county_has_what_its_pool_has(policy: Policy) -> None:
    assert policy.area_open("650502", TODAY)
    assert policy.at("440304", TODAY).fund_pay_includes_account


def test_every_setting_tells_its_grade_and_source(policy: Policy) -> None:
    found = policy.setting("registration_required", ALAR, TODAY)
    assert (found.value, found.grade, found.scope.code) == (True, "C", ALAR)
    assert {entry.scope.code for entry in policy.all_settings()} >= {
        *("national", "110000", "440000", "510000", "650000", "660000", ALAR),
    }
    assert all(entry.source for entry in policy.all_settings())


def test_nothing_holds_before_the_notice(policy: Policy) -> None:
    with pytest.raises(NotInForce):
        policy.at("440300", date(2026, 1, 8))
    assert not policy.area_open("440300", date(2026, 1, 8))


def test_a_look_up_is_remembered_by_place_and_day(policy: Policy) -> None:
    assert policy.at(ALAR, TODAY) is policy.at(ALAR, TODAY)
    assert policy.at(ALAR, TODAY) is not policy.at(ALAR, TODAY + timedelta(days=1))


ENTRY = "{value: true, valid_from: 2026-02-01, grade: C, source: s}"
NO_SOURCE = ENTRY.replace("source: s", 'source: ""')
YES = ENTRY.replace("true", '"yes"')


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("x.yaml: regoin: Extra inputs are not permitted", "regoin: 1"),
        ("x.yaml: settings.aera_open: is not a setting", f"settings: {{aera_open: [{ENTRY}]}}"),
        (
            "x.yaml: settings.area_open.0.grade: Field required",
            "settings: {area_open: [{value: true, valid_from: 2026-02-01, source: s}]}",
        ),
        (
            "x.yaml: settings.area_open.0.grade: Input should be",
            f"settings: {{area_open: [{ENTRY.replace('C', 'E')}]}}",
        ),
        (
            "x.yaml: settings.area_open.0.source: String should have at least 1 character",
            f"settings: {{area_open: [{NO_SOURCE}]}}",
        ),
        (
            "x.yaml: settings.area_open.0.note: Extra inputs are not permitted",
            f"settings: {{area_open: [{ENTRY.replace('}', ', note: n}')}]}}",
        ),
        (
            "x.yaml: settings.area_open.0.value: Input should be a valid boolean",
            f"settings: {{area_open: [{YES}]}}",
        ),
        (
            "x.yaml: settings.consent_age.0.value: Input should be a valid integer",
            f"settings: {{consent_age: [{ENTRY.replace('true', '16.0')}]}}",
        ),
        (
            "x.yaml: settings.relation_cap.0.value: Input should be greater than or equal to 1",
            f"settings: {{relation_cap: [{ENTRY.replace('true', '0')}]}}",
        ),
        (
            "x.yaml: settings.prefund.0.value.red_percent: Field required",
            "settings: {prefund: [{value: {months_of_mean: 2, warn_percent: 7, top_up_on_red: "
            "true}, valid_from: 2026-02-01, grade: C, source: s}]}",
        ),
        ("x.yaml: settings.area_open: has no entry", "settings: {area_open: []}"),
        (
            "x.yaml: settings.area_open: two values hold on 2026-02-01",
            f"settings: {{area_open: [{ENTRY}, {ENTRY}]}}",
        ),
        (
            "x.yaml: settings.area_open: ends before it begins",
            f"settings: {{area_open: [{ENTRY.replace('grade', 'valid_to: 2026-01-31, grade')}]}}",
        ),
        (
            "x.yaml: pools.440300: does not belong to 110000",
            f'pools: {{"440300": {{area_open: [{ENTRY}]}}}}',
        ),
        (
            "x.yaml: pools.999999.area_open: no region has the code 999999",
            f'pools: {{"999999": {{area_open: [{ENTRY}]}}}}',
        ),
        ("area_open stands twice", f"settings: {{area_open: [{ENTRY}], area_open: [{ENTRY}]}}"),
        ("x.yaml: ", "settings: ["),
    ],
)
def test_a_file_that_is_not_exactly_right_is_refused(told: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f'region: "110000"\nname: n\n{text}\n', encoding="utf-8")
    with pytest.raises(PolicyInvalid) as refused:
        Policy.load(tmp_path)
    assert told in str(refused.value)


def test_two_files_may_not_speak_for_one_region(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text('region: "110000"\nname: n\n', encoding="utf-8")
    with pytest.raises(PolicyInvalid, match=r"b\.yaml: region: a\.yaml speaks for it already"):
        Policy.load(tmp_path)


def test_a_region_is_a_province(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('region: "440300"\nname: n\n', encoding="utf-8")
    with pytest.raises(PolicyInvalid, match="is not a province"):
        Policy.load(tmp_path)


def test_an_overlay_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="is not a folder"):
        Policy.load(tmp_path / "nowhere")


def test_national_values_have_no_gap_and_no_end(tmp_path: Path) -> None:
    for entries, told in (
        (ENTRY.replace("grade", "valid_to: 2026-03-01, grade"), "ends one day"),
        (
            f"{ENTRY.replace('grade', 'valid_to: 2026-03-01, grade')}, "
            f"{ENTRY.replace('2026-02-01', '2026-03-03')}",
            "has a gap",
        ),
    ):
        text = f"region: national\nname: n\nsettings: {{area_open: [{entries}]}}\n"
        (tmp_path / "national.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(PolicyInvalid, match=told):
            Policy.load(tmp_path)


def test_values_follow_one_another_in_time(tmp_path: Path) -> None:
    first = ENTRY.replace("grade", "valid_to: 2026-03-01, grade")
    second = ENTRY.replace("2026-02-01", "2026-03-02").replace("true", "false")
    text = f'region: "440000"\nname: n\nsettings: {{area_open: [{second}, {first}]}}\n'
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    policy = Policy.load(tmp_path)
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 3, 1), date(2026, 3, 2)]
    assert [policy.area_open("440300", day) for day in days] == [False, True, True, False]
