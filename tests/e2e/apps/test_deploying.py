"""Real projects, a real engine, no front door: what deploy, restart, roll back, logs, variables and git push do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.engine import EngineHome, write_project
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def home() -> Iterator[EngineHome]:
    """An engine with a version in production, for tests that leave it so."""
    with EngineHome() as home:
        done = home.deploy(home.project("first"), "--prod", "-m", "The first one")
        assert done.code == 0, done.err + done.out
        yield home


def test_a_deploy_serves_with_its_variables(home: EngineHome) -> None:
    # spec: A2, A3
    assert home.endpoints(), home.log
    (answer,) = home.answers()
    assert answer[2:4] == ["production", "web1"]
    assert answer[1] == home.ps()["release"]
    assert answer[5] == "Asia/Shanghai"


def test_progress_has_the_shape_that_people_know(home: EngineHome) -> None:
    done = home.deploy(home.project("again"))
    assert done.code == 0
    heads = [line for line in done.out.splitlines() if line.startswith("-----> ")]
    assert heads[0].startswith("-----> Receiving 20")
    assert "-----> Starting 1 instance" in heads
    assert "       web1 is healthy" in done.out.splitlines()


def test_variables_take_effect_at_the_next_start_and_secrets_stay_secret(home: EngineHome) -> None:
    # spec: A3
    secret = "correct-horse-battery"
    assert home.lb("env", "shop", "set", "COLOUR=deep-blue").code == 0
    assert home.lb("env", "set", "shop", "TOKEN=-", "--secret", given=f"{secret}\n").code == 0
    assert home.lb("restart", "shop").code == 0
    assert home.answers()[0][4] == "deep-blue"
    shown = home.lb("env", "shop", "--reveal")
    assert "COLOUR=deep-blue" in shown.out
    assert secret not in shown.out
    assert "TOKEN=•••• (secret)" in shown.out
    refused = home.lb("env", "shop", "set", "LEANCLOUD_APP_ID=mine")
    assert refused.code == 2
    assert "LEANCLOUD_APP_ID is set by the platform" in refused.err
    assert home.lb("env", "shop", "unset", "NOTHING").code == 2
    assert home.files_with(secret) == ["apps/shop/env.json"]
    assert (home.directory / "apps" / "shop" / "env.json").stat().st_mode & 0o777 == 0o600


def test_logs_and_one_off_runs(home: EngineHome) -> None:
    lines = home.lb("logs", "shop", "-n", "50", "--env", "production", "--json").out
    assert '"text": "version' in lines
    done = home.lb("run", "shop", "--", "sh", "-c", "echo to-out; echo to-err >&2; echo $LEANCLOUD_APP_ENV; exit 7")
    assert (done.code, done.out.split()) == (7, ["to-out", "production"])
    assert "to-err" in done.err
    assert home.lb("logs", "shop", "--from", "yesterday").code == 2


def test_a_one_off_run_gets_standard_input(home: EngineHome) -> None:
    text = "".join(f"line {number}\n" for number in range(300))
    done = home.lb("run", "shop", "wc", "-l", given=text)
    assert (done.code, done.out.strip()) == (0, "300"), done.err
    big = "x" * 70 + "\n"
    done = home.lb("run", "shop", "wc", "-c", given=big * 20_000)
    assert done.out.strip() == str(71 * 20_000)
    assert home.lb("run", "shop", "head", "-c", "4", given="text" * 100_000).out == "text\n", "it need not read all"
    assert home.lb("run", "shop", "cat").out == "", "there is none"


def test_a_detached_deploy_is_followed_from_its_beginning(home: EngineHome) -> None:
    go = home.root / "go"
    slow = home.project("slow", manifest=f"run: python app.py\nbuild: while ! test -e {go}; do sleep 0.1; done\n")
    assert home.deploy(slow, "--prod", "--detach").code == 0
    following = home.popen("attach", "shop")
    assert following.stdout is not None
    wait_for(lambda: "Building" in following.stdout.readline(), "it to be followed")  # type: ignore[union-attr]
    go.touch()
    said, problems = following.communicate(timeout=60)
    assert following.returncode == 0, problems
    assert "is deployed to production" in said
    assert home.answers()[0][0] == "slow"
    none = home.lb("attach", "shop")
    assert none.code == 1
    assert "no deploy of production of shop is under way" in none.err


def test_releases_and_roll_back_start_the_same_bytes(home: EngineHome) -> None:
    # spec: A6
    before = home.ps()["release"]
    assert home.deploy(home.project("newest"), "--prod", "-m", "The newest").code == 0
    listed = home.lb("releases", "shop", "--json").json["releases"]
    assert listed[0]["message"] == "The newest"
    assert listed[0]["serves"] == ["production"]
    assert home.lb("rollback", "shop").code == 0
    assert home.answers()[0][1] == before
    assert home.lb("rollback", "shop", "20200101-000000").code == 2


def test_staging_is_published_whole(home: EngineHome) -> None:
    # spec: A6
    assert home.deploy(home.project("candidate"), "--staging").code == 0
    assert home.answers("staging")[0][:3] == ["candidate", home.ps("staging")["release"], "stage"]
    assert home.lb("publish", "shop").code == 0
    assert home.answers()[0][0] == "candidate"
    assert home.ps()["release"] == home.ps("staging")["release"]


def test_a_start_that_fails_says_why_and_changes_nothing(home: EngineHome) -> None:
    # spec: A5
    before = home.answers()
    done = home.deploy(home.project(app="import nowhere_to_be_found\n"))
    assert done.code == 1
    assert "nowhere_to_be_found" in done.err
    assert home.answers() == before
    assert home.state_of()["deploys"][-1]["state"] == "failed"


def test_a_file_of_the_project_that_is_wrong_is_exit_code_78(home: EngineHome) -> None:
    done = home.deploy(home.project(manifest="runn: python app.py\n"))
    assert done.code == 78
    assert "leanengine.yaml:1:1" in done.err
    assert '"run"' in done.err


def test_usage_is_exit_code_2(home: EngineHome) -> None:
    project = home.project("never")
    assert home.lb("deploy", "shop", str(project)).code == 2, "nobody can be asked where to"
    assert home.lb("deploy", "shop", str(project), "--prod", "--staging").code == 2
    done = home.lb("deploy", "shoop", str(project), "--prod")
    assert done.code == 2
    assert "shoop" in done.err
    assert home.lb("scale", "shop", "0").code == 2


def test_scale_stop_and_start(home: EngineHome) -> None:
    assert home.deploy(home.project("scaled"), "--staging").code == 0
    assert home.lb("scale", "shop", "2", "--staging").code == 0
    assert sorted(answer[3] for answer in home.answers("staging")) == ["web1", "web2"]
    assert home.lb("stop", "shop", "--staging").code == 0
    assert home.ps("staging")["state"] == "stopped"
    assert home.lb("start", "shop", "--staging").code == 0
    assert len(home.answers("staging")) == 2


def test_a_push_deploys_and_one_that_fails_is_rejected(home: EngineHome) -> None:
    project = home.project("pushed")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
        return subprocess.run(
            ["git", *identity, *words],
            cwd=project,
            env={**environ, **home.environ},
            capture_output=True,
            text=True,
            check=False,
        )

    repository = home.lb("apps", "repository", "shop", "--json").json["repository"]
    git("init", "--quiet")
    git("add", "-A")
    git("commit", "--quiet", "-m", "Pushed once")
    pushed = git("push", repository, "main")
    assert pushed.returncode == 0, pushed.stderr
    assert home.answers()[0][0] == "pushed"
    assert home.lb("releases", "shop", "--json").json["releases"][0]["message"] == "Pushed once"
    home.project(manifest="runn: x\n")
    git("commit", "--quiet", "-am", "Broken")
    rejected = git("push", repository, "main")
    assert rejected.returncode != 0
    assert "leanengine.yaml:1:1" in rejected.stderr
    assert home.answers()[0][0] == "pushed"
    assert git("push", repository, "main:topic").returncode == 0, "other branches are stored"


def test_over_ssh_the_other_machines_lb_is_asked(home: EngineHome, tmp_path: Path) -> None:
    """`ssh` is a script here that runs the command on this machine, as sshd would."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec sh -c "$1"\n', encoding="utf-8")
    program.chmod(0o755)
    lb = tmp_path / "lb"
    lb.write_text('#!/bin/sh\nexec "$LB_TEST_PYTHON" -P -m lb "$@"\n', encoding="utf-8")
    lb.chmod(0o755)
    environ = {"LB_SSH": str(program), "PATH": f"{tmp_path}:{os.environ['PATH']}", "LB_TEST_PYTHON": sys.executable}
    words = ("deploy", "shop", str(home.project("remote")), "--prod", "--to", "ssh://deploy@shop.example.com:2222")
    done = home.lb(*words, **environ)
    assert done.code == 0, done.err + done.out
    assert home.answers()[0][0] == "remote"
    assert home.lb("deploy", "shop", "--prod", "--to", "shop.example.com").code == 2


def test_ten_deploys_at_once_end_with_the_last_one(home: EngineHome) -> None:
    # spec: A5
    processes = []
    for number in range(6):
        project = home.root / f"project{number}"
        processes.append(home.popen("deploy", "shop", str(write_project(project, f"v{number}")), "--staging"))
    ends = [process.communicate(timeout=110) and process.returncode for process in processes]
    assert ends.count(0) >= 1
    assert set(ends) <= {0, 1}
    done = [one for one in home.state_of("staging")["deploys"] if one["state"] not in ("failed", "cancelled")]
    assert home.ps("staging")["release"] == done[-1]["tag"]


def test_ctrl_c_without_a_terminal_detaches(home: EngineHome) -> None:
    before = home.ps()["release"]
    process = home.popen("deploy", "shop", str(home.project("detached")), "--prod")
    assert process.stdout is not None
    wait_for(lambda: "Using Python" in process.stdout.readline(), "the build to begin")  # type: ignore[union-attr]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Detached" in said
    wait_for(lambda: home.ps()["release"] != before, "the deploy to end", 60)
    assert home.answers()[0][0] == "detached"
