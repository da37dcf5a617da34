"""check: what a person sees of a mistake, and what is in force where there is none."""

import os
import pty
import subprocess

import pytest
import yaml

from test_cli_offline import init, run
from ward import TOP, program

pytestmark = pytest.mark.short

GOOD = "groups:\n  - name: g\n    rules:\n      - {alert: %s, expr: spo2 < 90}\n"


@pytest.fixture
def rules(folder):
    """A folder of three files with four rules."""
    path = folder / "rules.d"
    path.mkdir()
    for name in ("a", "b"):
        (path / f"{name}.yaml").write_text(GOOD % f"Low-{name}")
    (path / "c.yaml").write_text(GOOD % "Low-c" + "      - {alert: Fast, expr: hr > 130}\n")
    (path / "README").write_text("not a rule file")
    return path


def test_a_configuration_that_holds(folder, rules):
    init(folder)
    path = folder / "etc/wardstone.yaml"
    config = yaml.safe_load(path.read_text())
    config["rules"] = str(rules)
    path.write_text(yaml.safe_dump(config))
    for arguments in ([path], ["--config", path]):
        assert run("check", *arguments) == (0, f"{path}: 4 rules in 3 files, 8 devices: ok\n", "")
    status, _, err = run("check", path, "--config", path)
    assert status == 2 and "given twice" in err


def test_rules_by_themselves(rules):
    assert run("check", rules) == (0, f"{rules}: 4 rules in 3 files: ok\n", "")
    assert run("check", rules / "a.yaml") == (0, f"{rules / 'a.yaml'}: 1 rule in 1 file: ok\n", "")


def test_the_default_rules_hold():
    status, out, err = run("check", TOP / "configs/rules.d")
    assert (status, err) == (0, "") and out.endswith(": ok\n")


def test_a_mistake_is_shown_with_its_line(rules):
    (rules / "a.yaml").write_text("groups:\n  - name: g\n    rules:\n\t\n")
    (rules / "b.yaml").write_text(GOOD.replace("spo2", "sp02") % "Low-b")
    status, out, err = run("check", rules / "b.yaml")
    assert (status, out) == (1, "")
    first, line, caret, last = err.splitlines()
    assert first.startswith(f"{rules / 'b.yaml'}:4:30: ") and "did you mean 'spo2'" in first
    assert line == "    4 |       - {alert: Low-b, expr: sp02 < 90}"
    assert caret == "      |" + " " * 30 + "^" and line[caret.index("^")] == "s"
    assert last == f"{rules / 'b.yaml'}: mistakes in 1 of 1 file"


def test_the_first_mistake_of_each_file_is_shown(folder, rules):
    (rules / "a.yaml").write_text(GOOD.replace("spo2 <", "spo2 =") % "Low-a" )
    (rules / "c.yaml").write_text(GOOD.replace("expr", "exrp") % "Low-c")
    init(folder)
    path = folder / "etc/wardstone.yaml"
    path.write_text(path.read_text().replace("rules: rules.d", f"rules: {rules}"))
    for what in (rules, path):
        status, out, err = run("check", what)
        assert (status, out) == (1, "")
        places = [line for line in err.splitlines() if line.startswith(str(rules) + "/")]
        assert [p.split(": ")[0] for p in places] == [f"{rules}/a.yaml:4:35", f"{rules}/c.yaml:4:24"]
        assert err.endswith(f"{what}: mistakes in 2 of 3 files\n")


def test_names_are_unique_over_files(rules):
    (rules / "b.yaml").write_text(GOOD % "Low-a")
    status, _, err = run("check", rules)
    assert status == 1
    assert err.startswith(f"{rules}/b.yaml:4:9: ") and "unique over all rule files" in err


def test_a_mistake_elsewhere_is_told_alone(folder, rules):
    init(folder)
    devices = folder / "etc/devices.yaml"
    devices.write_text("devices:\n  - id: bad id\n")
    (folder / "etc/rules.d/zzz.yaml").write_text("groups: nonsense\n")
    status, _, err = run("check", folder / "etc/wardstone.yaml")
    assert status == 1 and f"{devices}:2:5: " in err and "zzz" not in err
    assert err.splitlines()[1:] == ["    2 |   - id: bad id", "      |     ^"]


def test_operators_own_vitals_are_known_to_their_rules(folder):
    init(folder)
    path = folder / "etc/wardstone.yaml"
    text = path.read_text()
    path.write_text(text + "\nvitals: [{name: lactate, unit: mmol/L, min: 0, max: 40}]\n")
    (folder / "etc/rules.d/a.yaml").write_text(GOOD.replace("spo2 < 90", "lactate > 4") % "Lactate")
    assert run("check", path)[0] == 0
    (folder / "etc/rules.d/b.yaml").write_text(GOOD.replace("spo2 < 90", "lactat > 4") % "Typo")
    status, _, err = run("check", path)
    assert status == 1 and "did you mean 'lactate'" in err and err.count("a.yaml") == 0


def test_long_lines_are_cut_around_the_column(rules):
    (rules / "a.yaml").write_text(GOOD.replace("spo2 < 90", "hr > 1" + " and hr > 1" * 40 + " and sp02 < 1" +
                                               " and hr > 1" * 40) % "Long")
    _, _, err = run("check", rules / "a.yaml")
    line, caret = err.splitlines()[1:3]
    assert len(line) <= 108 and line.count("...") == 2 and line[caret.index("^"):].startswith("sp02")


def on_terminal(*arguments, **environment):
    """What it prints where stderr is a terminal."""
    leader, follower = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    process = subprocess.Popen([program("wardstone"), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=follower,
                               env={**env, **environment})
    os.close(follower)
    out = b""
    try:
        while chunk := os.read(leader, 4096):
            out += chunk
    except OSError:
        pass  # the other side is closed
    os.close(leader)
    process.wait(60)
    return out.decode()


def test_colour_is_for_terminals_that_want_it(rules):
    (rules / "b.yaml").write_text(GOOD.replace("spo2", "sp02") % "Low-b")
    assert "\x1b[" not in run("check", rules)[2]
    assert "\x1b[1;32m^" in on_terminal("check", rules)
    assert "\x1b" not in on_terminal("check", rules, NO_COLOR="1")


def test_what_is_not_there(folder):
    for path in (folder / "none.yaml", folder / "none"):
        status, out, err = run("check", path)
        assert (status, out) == (1, "") and "No such file" in err
