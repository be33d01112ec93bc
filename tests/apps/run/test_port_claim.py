"""Claims on ports, as another engine sees them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lb.apps.run.port_claim import claim_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="claims are Linux's")

CODE = "import sys; from lb.apps.run.port_claim import claim_port; sys.exit(claim_port(1234) is None)"


def is_refused_elsewhere() -> bool:
    return subprocess.run([sys.executable, "-c", CODE], check=False).returncode == 1


def test_a_claim_holds_in_every_process_until_it_is_released() -> None:
    claim = claim_port(1234)
    assert claim is not None
    assert claim_port(1234) is None
    assert is_refused_elsewhere()
    claim.release()
    assert not is_refused_elsewhere()


def test_a_claim_ends_with_its_process() -> None:
    assert not is_refused_elsewhere()
    assert not is_refused_elsewhere(), "the process before has ended"
