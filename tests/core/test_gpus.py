"""Which GPU a job takes: with a made-up driver, since a test machine has none."""

import ctypes
import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from actrepro.core import gpus
from actrepro.core.errors import ActreproError
from actrepro.core.gpus import Gpu, hold_gpu, visible_gpus

NO_DEVICE = 100
UUIDS = ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b")

# Claims a GPU of two, says which and ends when asked to.
JOB = """
import sys
from pathlib import Path
from actrepro.core import gpus
gpus.visible_gpus = lambda: (gpus.Gpu(0, sys.argv[2]), gpus.Gpu(1, sys.argv[3]))
with gpus.hold_gpu(1, Path(sys.argv[1])) as index:
    print(index, flush=True)
    sys.stdin.readline()
"""


class Driver:
    """CUDA's driver on a machine with two GPUs, as far as it is asked."""

    def __init__(self, error: int = 0) -> None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0,1")
        self.devices = [int(number) for number in visible.split(",") if number]
        self.error = error

    def cuInit(self, flags: int) -> int:  # noqa: N802 - the driver's name
        return 0 if self.devices else NO_DEVICE

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802 - the driver's name
        count._obj.value = len(self.devices)
        return self.error

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:  # noqa: N802 - the driver's name
        device._obj.value = self.devices[ordinal]
        return 0

    def cuDeviceGetUuid(self, uuid: Any, device: Any) -> int:  # noqa: N802 - the driver's name
        uuid._obj[15] = 10 + device.value
        return 0


class SlicingDriver(Driver):
    """A newer one, which tells the slices of a GPU apart."""

    def cuDeviceGetUuid_v2(self, uuid: Any, device: Any) -> int:  # noqa: N802 - the driver's name
        uuid._obj[0] = 255
        return self.cuDeviceGetUuid(uuid, device)


@pytest.fixture(autouse=True)
def _two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _install(monkeypatch, Driver)


def _install(monkeypatch: pytest.MonkeyPatch, driver: Any) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver())


def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seconds: float) -> None:
        pytest.fail("waits for a GPU")

    monkeypatch.setattr(time, "sleep", refuse)


def test_the_drivers_gpus_by_number_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible_gpus() == (Gpu(0, UUIDS[0]), Gpu(1, UUIDS[1]))
    _install(monkeypatch, SlicingDriver)
    assert visible_gpus()[1] == Gpu(1, f"ff{UUIDS[1][2:]}")


@pytest.mark.parametrize(("visible", "names"), [("1", UUIDS[1:]), ("1,0", UUIDS[::-1]), ("", ())])
def test_hidden_gpus_are_not_counted(
    monkeypatch: pytest.MonkeyPatch, visible: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == tuple(Gpu(*gpu) for gpu in enumerate(names))


def test_a_failing_driver_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, lambda: Driver(error=999))
    assert visible_gpus() == ()


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    _install(monkeypatch, missing)
    assert visible_gpus() == ()
    message = (
        r"expected a CUDA device, found none \(CUDA_VISIBLE_DEVICES: not set\); .* device: cpu"
    )
    with pytest.raises(ActreproError, match=message), hold_gpu(1, tmp_path):
        pass


def test_two_jobs_claim_different_gpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _no_waiting(monkeypatch)
    with caplog.at_level(logging.INFO, "actrepro"):
        with hold_gpu(1, tmp_path) as first, hold_gpu(1, tmp_path) as second:
            assert (first, second) == (0, 1)
            names = {f"{uuid}.0.lock" for uuid in UUIDS}
            assert {path.name for path in tmp_path.iterdir()} == names
        assert not list(tmp_path.iterdir())
        with hold_gpu(1, tmp_path) as third:
            assert third == 0
    expected = [f"computing on GPU {index} (GPU-{UUIDS[index]})" for index in (0, 1, 0)]
    assert caplog.messages == expected


def test_jobs_share_a_gpu_only_when_each_has_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _no_waiting(monkeypatch)
    with ExitStack() as jobs:
        taken = [jobs.enter_context(hold_gpu(2, tmp_path)) for _ in range(4)]
    assert taken == [0, 1, 0, 1]


@pytest.mark.parametrize("jobs_per_gpu", [1, 2])
def test_one_job_too_many_waits_until_another_ends(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    jobs_per_gpu: int,
) -> None:
    waits: list[float] = []
    ends = ExitStack()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            ends.close()

    monkeypatch.setattr(time, "sleep", sleep)
    with ExitStack() as jobs:
        for _ in range(2 * jobs_per_gpu - 1):
            jobs.enter_context(hold_gpu(jobs_per_gpu, tmp_path))
        assert ends.enter_context(hold_gpu(jobs_per_gpu, tmp_path)) == 1
        with (
            caplog.at_level(logging.INFO, "actrepro"),
            hold_gpu(jobs_per_gpu, tmp_path) as index,
        ):
            assert index == 1
    assert waits == [gpus.POLL] * 3
    assert caplog.messages == [
        f"waiting for a GPU: all are taken (GPUs: 2, jobs on each: {jobs_per_gpu})",
        f"computing on GPU 1 (GPU-{UUIDS[1]})",
    ]


def test_a_gpu_is_the_same_whatever_its_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One job sees only the second GPU; another, which sees both, leaves it alone."""
    _no_waiting(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with hold_gpu(1, tmp_path) as narrow:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
        with hold_gpu(1, tmp_path) as wide:
            assert (narrow, wide) == (0, 1)


def test_a_killed_job_frees_its_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _no_waiting(monkeypatch)
    command = [sys.executable, "-c", JOB, str(tmp_path), *UUIDS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "0\n"
        with hold_gpu(1, tmp_path) as beside:
            assert beside == 1
        job.kill()
    with hold_gpu(1, tmp_path) as after:
        assert after == 0


def test_the_locks_lie_in_a_folder_of_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"actrepro-gpus-{os.getuid()}"
    for _ in range(2):
        with hold_gpu(1):
            assert (folder / f"{UUIDS[0]}.0.lock").exists()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_somebody_elses_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with (
        pytest.raises(ActreproError, match=r"link: expected a folder of your own"),
        hold_gpu(1, link),
    ):
        pass
    stranger = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    with (
        pytest.raises(ActreproError, match=r"found one of user .* set TMPDIR"),
        hold_gpu(1, tmp_path),
    ):
        pass
