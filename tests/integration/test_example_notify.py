"""The example of a notification channel does what docs/plugins.md says, built as its author's copy would be."""

import json
import os
import subprocess

import pytest

from plugin_worker import PluginWorker, alert, notice
from ward import PATIENCE, TOP

SOURCE = TOP / "plugins/example-notify/example_notify.c"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """With the installed headers alone."""
    made = tmp_path_factory.mktemp("example") / "example-notify.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
                    "-I", TOP / "include", "-o", made, SOURCE, "-ljansson"], check=True, timeout=PATIENCE)
    return made


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_notice_is_a_line_and_a_refresh_is_nothing_to_it(plugin, folder):
    worker = PluginWorker(plugin, {"file": str(folder / "notices")})
    assert worker.opened == {"id": 0, "r": 0}
    sent = [notice(alert(), key="a1b2:raised"), notice(alert("resolved", summary="ü\n"), key="a1b2:resolved")]
    for n in sent:
        assert worker.deliver(n)["r"] == 0
    assert worker.refresh(alert())["r"] == 0
    worker.close()
    assert lines(folder / "notices") == sent


def test_a_line_that_was_cut_short_spoils_no_other(plugin, folder):
    (folder / "notices").write_text('{"key": "a1b2:rai')
    worker = PluginWorker(plugin, {"file": str(folder / "notices")})
    assert worker.deliver(notice(alert()))["r"] == 0
    worker.close()
    assert json.loads((folder / "notices").read_text().splitlines()[1]) == notice(alert())


def test_a_full_disk_is_said_and_leaves_no_half_line(plugin, small_disk):
    (small_disk / "ballast").write_bytes(bytes(11 * 1024 * 1024))
    worker = PluginWorker(plugin, {"file": str(small_disk / "notices")})
    sent = notice(alert(summary="x" * 30000))
    while (reply := worker.deliver(sent))["r"] == 0:
        pass
    assert "No space left" in reply["error"]
    assert all(line == sent for line in lines(small_disk / "notices"))
    (small_disk / "ballast").unlink()
    assert worker.deliver(sent)["r"] == 0
    worker.close()
    assert all(line == sent for line in lines(small_disk / "notices"))


@pytest.mark.parametrize("settings, text", [
    ({}, "not found: file"),
    ({"file": "notices", "flie": "x"}, "flie"),
    ({"file": "/nonexistent/notices"}, "No such file"),
])
def test_bad_settings_are_explained(plugin, settings, text):
    worker = PluginWorker(plugin, settings)
    assert worker.opened["r"] < 0
    assert text in worker.opened["error"]
    worker.close()
