"""What differs between the versions of SNAP that the stand-in imitates; README.md says where each fact comes from."""

from typing import Any

# Component id -> the NetBeans clusters (folders) that it brings. The reader of Sentinel-2 is in s2tbx, later opttbx.
_COMPONENTS_9 = {"SNAP": ["snap", "platform", "ide"], "S1TBX": ["s1tbx"], "S2TBX": ["s2tbx"], "S3TBX": ["s3tbx"],
                 "RSTB": ["rstb"], "SMOS": ["smos"], "3109": ["probavbox"]}
_COMPONENTS_10 = {"SNAP": ["snap", "platform", "ide"], "S1TBX": ["microwavetbx"], "S3TBX": ["opttbx"],
                  "SMOS": ["smos"], "3552": ["rstb"]}
_COMPONENTS_12 = {"SNAP": ["snap", "platform", "ide"], "S1TBX": ["microwavetbx"], "S3TBX": ["opttbx"],
                  "3552": ["rstb"], "3573": ["esasnappy"]}

VERSIONS: dict[int, dict[str, Any]] = {
    9: {"version": "9.0.0", "file": "esa-snap_all_unix_9_0_0.sh", "java": "1.8.0_242", "module": "snappy",
        "jpy": "0.9.0", "pythons": ["cp27", "cp34", "cp35", "cp36"], "components": _COMPONENTS_9},
    10: {"version": "10.0.0", "file": "esa-snap_all_linux-10.0.0.sh", "java": "11.0.19", "module": "esa_snappy",
         "jpy": "0.13.0", "pythons": ["cp36", "cp37", "cp38", "cp39", "cp310"], "components": _COMPONENTS_10},
    11: {"version": "11.0.0", "file": "esa-snap_all_linux-11.0.0.sh", "java": "11.0.19", "module": "esa_snappy",
         "jpy": "0.13.0", "pythons": ["cp36", "cp37", "cp38", "cp39", "cp310"], "components": _COMPONENTS_10},
    12: {"version": "12.0.0", "file": "esa-snap_all_linux-12.0.0.sh", "java": "21.0.4", "module": "esa_snappy",
         "jpy": "1.0.0", "pythons": ["cp39", "cp310", "cp311", "cp312", "cp313"], "components": _COMPONENTS_12},
    13: {"version": "13.0.0", "file": "esa-snap_all_linux-13.0.0.sh", "java": "21.0.4", "module": "esa_snappy",
         "jpy": "1.0.0", "pythons": ["cp39", "cp310", "cp311", "cp312", "cp313"],
         "components": {**_COMPONENTS_12, "SMOS": ["smos"]}},
}

BEHAVIOURS = {
    "ok": "does all it should",
    "fail": "ends with exit code 1 and a message, nothing installed",
    "hang": "never ends",
    "lie": "ends with exit code 0 and installs nothing but its own marks",
    "partial": "ends with exit code 0 and leaves out the Sentinel-2 reader",
    "partial-gpt": "ends with exit code 0 and leaves out bin/gpt",
    "conf-hang": "snappy-conf does its work and then never ends",
    "conf-lie": "snappy-conf says 'Configuration failed!', configures nothing and ends with exit code 0",
    "slow": "takes a minute",
}


def notice(version: str) -> str:
    """The line that every run prints on stderr."""
    return f"eocluster: this is the stand-in for tests (tests/snap_standin), not ESA's SNAP {version}"
