"""Roles, their argument specifications and their READMEs say the same; validate.yml tells all faults at once."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

TOP = Path(__file__).parents[2]
ROLES = sorted(path.parent.parent.name for path in TOP.glob("roles/*/tasks/main.yml"))


def read(role: str, path: str) -> Any:
    """What a YAML file of a role holds."""
    return yaml.safe_load((TOP / "roles" / role / path).read_text(encoding="utf-8"))


def entry_points(role: str) -> dict[str, Any]:
    """The role's argument specification, by entry point."""
    return read(role, "meta/argument_specs.yml")["argument_specs"]


def options_of(role: str) -> dict[str, Any]:
    """All options of all entry points."""
    return {name: option for entry in entry_points(role).values() for name, option in entry["options"].items()}


def words(option: dict[str, Any]) -> list[str]:
    """The description's lines."""
    return [option["description"]] if isinstance(option["description"], str) else option["description"]


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_is_a_file_of_tasks(role: str) -> None:
    assert "main" in entry_points(role)
    for name, entry in entry_points(role).items():
        assert (TOP / "roles" / role / "tasks" / f"{name}.yml").is_file()
        assert entry["short_description"]


def test_every_entry_point_of_a_playbook_is_specified() -> None:
    tasks = [task for path in TOP.glob("playbooks/*.yml") for play in yaml.safe_load(path.read_text(encoding="utf-8"))
             for task in play.get("tasks", ())]
    used = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    assert {(use["name"], use.get("tasks_from", "main")) for use in used} <= {
        (role, name) for role in ROLES for name in entry_points(role)}


@pytest.mark.parametrize("role", ROLES)
def test_variables_and_options_are_the_same(role: str) -> None:
    assert set(options_of(role)) == set(read(role, "defaults/main.yml"))


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_carry_the_name_of_their_role(role: str) -> None:
    assert [name for name in read(role, "defaults/main.yml") if not re.match(rf"{role}_[a-z0-9]", name)] == []


@pytest.mark.parametrize("role", ROLES)
def test_documented_defaults_are_the_real_ones(role: str) -> None:
    options = options_of(role)
    for name, default in read(role, "defaults/main.yml").items():
        if "{{" in str(default):  # worked out from other variables: told in words, and not for Ansible to template
            assert "default" not in options[name], name
            assert words(options[name])[-1].startswith("Default: "), name
        else:
            assert (type(options[name]["default"]), options[name]["default"]) == (type(default), default), name
            assert not ArgumentSpecValidator({name: options[name]}).validate({name: default}).error_messages


@pytest.mark.parametrize("role", ROLES)
def test_an_option_means_the_same_in_all_entry_points(role: str) -> None:
    merged = options_of(role)
    for entry in entry_points(role).values():
        for name, option in entry["options"].items():
            assert option == merged[name]


@pytest.mark.parametrize("role", ROLES)
def test_secrets_are_not_logged(role: str) -> None:
    for name, option in options_of(role).items():
        assert option.get("no_log", False) == bool(re.search("access_key|secret|password|token", name)), name


def test_readmes_are_up_to_date() -> None:
    check = subprocess.run([TOP / "tools/role_docs", "--check"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_page_of_variables_knows_makes_parameters() -> None:
    page = (TOP / "docs/variables.md").read_text(encoding="utf-8")
    given = re.findall(r"\$\(call given,(\w+),(\w+)\)", (TOP / "Makefile").read_text(encoding="utf-8"))
    assert given
    assert [pair for pair in given if f"| `{pair[0]}` | `{pair[1]}` |" not in page] == []


def test_the_page_of_variables_links_to_what_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", (TOP / "docs/variables.md").read_text(encoding="utf-8"))
    assert {f"../roles/{role}/README.md" for role in ROLES} <= set(links)
    assert [link for link in links if "://" not in link and not (TOP / "docs" / link).exists()] == []


INVENTORY = """
all:
  vars: {ansible_connection: local, cluster_user: eouser, eodata_endpoint_url: "https://store.example",
         eodata_bucket: DIAS, eodata_access_key: open, eodata_secret_key: sesame,
         ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  children:
    slurm_master: {hosts: {master001: }}
    slurm_worker: {hosts: {worker001: }}
"""


def validate(folder: Path, variables: dict[str, Any]) -> tuple[int, list[str], str]:
    """Run validate.yml with `variables` set for all hosts: its exit code, the tasks it ran, the message of the last."""
    (folder / "group_vars").mkdir()
    (folder / "hosts.yml").write_text(INVENTORY)
    (folder / "group_vars/all.yml").write_text(yaml.safe_dump(variables))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_CACHE_PLUGIN": "memory",
                   "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    run = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", folder, TOP / "playbooks/validate.yml"],
        cwd=TOP, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "{" in run.stdout, run.stderr
    told, _ = json.JSONDecoder().raw_decode(run.stdout, run.stdout.index("{"))  # ansible.cfg's timer speaks after it
    tasks = [task for play in told["plays"] for task in play["tasks"]]
    last = next(iter(tasks[-1]["hosts"].values()))
    return run.returncode, [task["task"]["name"] for task in tasks], last.get("msg", "")


@pytest.mark.timeout(180)
def test_faults_of_two_roles_are_told_in_one_message_and_nothing_else_runs(tmp_path: Path) -> None:
    code, tasks, message = validate(tmp_path, {"home_share_type": "bogus", "slurm_worker_cpus": "abc"})
    assert code == 2
    assert tasks[-1] == "Stop with everything that is wrong"
    assert message.splitlines() == [
        f"Nothing was touched. Wrong in {tmp_path}:",
        "  - home_share_type is 'bogus', and must be nfs or existing. Remedy: correct it, or leave it out for the"
        " default (nfs); roles/home_share/README.md says what it does.",
        "  - slurm_worker_cpus is 'abc', and must be a whole number. Remedy: correct it, or leave it out for the"
        " default (0); roles/slurm/README.md says what it does."]


@pytest.mark.timeout(180)
def test_what_is_nothing_undefined_or_secret_is_told_without_the_secret(tmp_path: Path) -> None:
    code, _, message = validate(tmp_path, {
        "job_time": None, "slurm_partition": "{{ nowhere }}", "s3cmd_secret_key": ["sesame"], "job_python": {"a": 1}})
    assert code == 2
    assert [line.split(".")[0] for line in message.splitlines()[1:]] == [
        "  - job_time is empty, and must be text",
        "  - job_python is {'a': 1}, and must be a path",
        "  - s3cmd_secret_key is not what it should be (a secret), and must be text",
        "  - slurm_partition cannot be worked out: 'nowhere' is undefined"]
    assert "sesame" not in message


@pytest.mark.timeout(180)
def test_values_as_make_hands_them_over_are_no_faults(tmp_path: Path) -> None:
    code, tasks, _ = validate(tmp_path, {
        "job_max_products": "3", "job_resolution": "60", "job_bands": ["B2", "B3"], "job_overwrite": "true",
        "job_time": "", "job_id": 17, "job_memory": 4000, "slurm_worker_cpus": "2", "lab_disk_gb": "7.5"})
    assert code == 0
    assert tasks[-1] == "Stop with everything that is wrong"  # which had nothing to say
