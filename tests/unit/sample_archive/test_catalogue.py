"""The catalogue: names, identifiers, and that it holds what the rest of the kit is tried with."""

import re

import pytest
from sample_archive.catalogue import PRODUCTS
from sample_archive.spec import ProductSpec, select
from sample_archive.swath import covered_fraction

NAME = re.compile(r"S2[ABC]_MSIL1C_(\d{8})T\d{6}_N(\d{4})_R(\d{3})_T\d{2}[A-Z]{3}_(\d{8}T\d{6})\.SAFE")
# Relative orbit of a satellite's absolute orbit, as ESA defines them; Sentinel-2C has none published here.
PHASES = {"S2A": 2, "S2B": -27}


def test_names_are_unique() -> None:
    assert len({spec.name for spec in PRODUCTS}) == len(PRODUCTS)


def test_a_busy_day_comes_first() -> None:
    assert all(spec.folder.startswith("Sentinel-2/MSI/L1C/2022/10/01/") for spec in PRODUCTS[:10])


def test_variety() -> None:
    assert len({spec.position.epsg for spec in PRODUCTS}) >= 4
    assert {spec.position.epsg // 100 for spec in PRODUCTS} == {326, 327}
    assert {spec.datatake.has_offset for spec in PRODUCTS} == {True, False}
    covered = [covered_fraction(spec.swath) for spec in PRODUCTS]
    assert min(covered) <= max(covered) / 4


@pytest.mark.parametrize("spec", PRODUCTS, ids=lambda spec: spec.name)
def test_name_agrees_with_identifiers(spec: ProductSpec) -> None:
    match = NAME.fullmatch(spec.name)
    assert match
    take = spec.datatake
    assert spec.folder == f"Sentinel-2/MSI/L1C/{take.sensing_start:%Y/%m/%d}/{spec.name}"
    assert match[1] in take.identifier
    assert take.datastrip_identifier.endswith(f"_N{match[2][:2]}.{match[2][2:]}")
    assert match[4] in spec.granule_identifier
    assert match[4] in take.datastrip_folder
    assert take.sensing_start <= take.datastrip_start < take.generated
    if take.satellite in PHASES:
        assert (take.absolute_orbit + PHASES[take.satellite]) % 143 + 1 == int(match[3])


def test_select() -> None:
    assert select(PRODUCTS, count=3) == list(PRODUCTS[:3])
    assert {spec.tile for spec in select(PRODUCTS, pattern="*_T33UWQ_*")} == {"33UWQ"}
    assert select(PRODUCTS, pattern=PRODUCTS[4].name.removesuffix(".SAFE")) == [PRODUCTS[4]]
    assert select(PRODUCTS, pattern="nothing") == []
