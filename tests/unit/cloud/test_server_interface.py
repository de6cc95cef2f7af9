"""What server_interface decides without a cloud: which port stays."""

from __future__ import annotations

from types import SimpleNamespace

from server_interface import is_surplus


def port(port_id, created_at="2026-11-22T19:00:57Z"):
    return SimpleNamespace(id=port_id, created_at=created_at)


def test_two_runs_agree_on_the_port_that_stays():
    old, young, twin = port("b"), port("a", "2026-11-22T19:00:58Z"), port("c")
    for ports in ([old, young, twin], [twin, young, old]):
        assert [is_surplus(one, ports) for one in ("b", "a", "c")] == [False, True, True]
    assert not is_surplus("a", [young])
    assert not is_surplus("gone", [old, young])
