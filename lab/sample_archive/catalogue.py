"""The products of the sample archive. To add one, add a line to PRODUCTS (and a Datatake if it is a new one).

Orbits, times and tiles fit each other as those of real acquisitions do: a satellite's relative orbit follows from
its absolute orbit (Sentinel-2A: (absolute + 2) mod 143 + 1; Sentinel-2B: (absolute - 27) mod 143 + 1), an orbit
takes 100.7 minutes and the ground track repeats after 10 days. The products themselves are made up.
"""

from datetime import datetime

from sample_archive.spec import Datatake, ProductSpec


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S")


# 2022-10-01: one day, three orbits, both hemispheres.
_EASTERN_EUROPE_AND_AFRICA = Datatake(
    satellite="S2A",
    sensing_start=_time("20221001T084801"),
    datastrip_start=_time("20221001T085612"),
    generated=_time("20221001T123324"),
    absolute_orbit=37999,
    relative_orbit=107,
    baseline="0400",
    centre="ATOS",
)
_CENTRAL_EUROPE = Datatake(
    satellite="S2B",
    sensing_start=_time("20221001T094029"),
    datastrip_start=_time("20221001T094033"),
    generated=_time("20221001T113811"),
    absolute_orbit=29091,
    relative_orbit=36,
    baseline="0400",
    centre="2BPS",
)
_SOUTH_AMERICA = Datatake(
    satellite="S2A",
    sensing_start=_time("20221001T135121"),
    datastrip_start=_time("20221001T135717"),
    generated=_time("20221001T172904"),
    absolute_orbit=38002,
    relative_orbit=110,
    baseline="0400",
    centre="ATOS",
)
# Other days, and the baselines before and after.
_PANNONIA = Datatake(
    satellite="S2A",
    sensing_start=_time("20220929T095031"),
    datastrip_start=_time("20220929T095158"),
    generated=_time("20220929T115233"),
    absolute_orbit=37971,
    relative_orbit=79,
    baseline="0400",
    centre="ATOS",
)
_MORAVIA = Datatake(
    satellite="S2A",
    sensing_start=_time("20221002T100741"),
    datastrip_start=_time("20221002T101018"),
    generated=_time("20221002T134926"),
    absolute_orbit=38014,
    relative_orbit=122,
    baseline="0400",
    centre="ATOS",
)
_ALPS = Datatake(
    satellite="S2A",
    sensing_start=_time("20210615T102021"),
    datastrip_start=_time("20210615T102208"),
    generated=_time("20210615T122901"),
    absolute_orbit=31236,
    relative_orbit=65,
    baseline="0300",
    centre="VGS4",
)
_ARGENTINA = Datatake(
    satellite="S2A",
    sensing_start=_time("20210615T140051"),
    datastrip_start=_time("20210615T140731"),
    generated=_time("20210615T173102"),
    absolute_orbit=31238,
    relative_orbit=67,
    baseline="0300",
    centre="VGS2",
)
_MEKONG = Datatake(
    satellite="S2C",
    sensing_start=_time("20250228T031721"),
    datastrip_start=_time("20250228T032919"),
    generated=_time("20250228T065233"),
    absolute_orbit=2519,
    relative_orbit=118,
    baseline="0511",
    centre="2CPS",
)

PRODUCTS = (
    ProductSpec(_CENTRAL_EUROPE, "34UDB"),
    ProductSpec(_CENTRAL_EUROPE, "34UDA"),
    ProductSpec(_CENTRAL_EUROPE, "34UEB", swath=(-1.0, 0.78)),
    ProductSpec(_CENTRAL_EUROPE, "34UCB", swath=(0.66, 2.0)),
    ProductSpec(_CENTRAL_EUROPE, "34UFB", swath=(-1.0, 0.2)),
    ProductSpec(_EASTERN_EUROPE_AND_AFRICA, "37VCD"),
    ProductSpec(_EASTERN_EUROPE_AND_AFRICA, "36TWT"),
    ProductSpec(_EASTERN_EUROPE_AND_AFRICA, "36RUU", swath=(0.1, 2.0)),
    ProductSpec(_EASTERN_EUROPE_AND_AFRICA, "33KWP"),
    ProductSpec(_EASTERN_EUROPE_AND_AFRICA, "33KXP", swath=(-1.0, 0.45)),
    ProductSpec(_SOUTH_AMERICA, "20KPV"),
    ProductSpec(_SOUTH_AMERICA, "20KQV", swath=(-1.0, 0.9)),
    ProductSpec(_PANNONIA, "33UXQ"),
    ProductSpec(_PANNONIA, "33UWQ", swath=(0.4, 2.0)),
    ProductSpec(_MORAVIA, "33UWQ"),
    ProductSpec(_MORAVIA, "33UVQ", swath=(0.25, 2.0)),
    ProductSpec(_ALPS, "32UPU"),
    ProductSpec(_ALPS, "32TPT", swath=(-1.0, 0.6)),
    ProductSpec(_ARGENTINA, "20HPJ"),
    ProductSpec(_MEKONG, "48PWS"),
)
