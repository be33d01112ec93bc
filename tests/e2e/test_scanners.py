"""What the scanners that operators run say of our TLS."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lb.tls.files.self_signed import ensure_certificate
from tests.benchmarks.tools import need
from tests.e2e.harness.certificates import tls_config
from tests.e2e.harness.client import HOST
from tests.e2e.harness.door import FrontDoor, configure

_PATIENCE = 60.0


def test_sslyze_finds_mozillas_intermediate_profile(tmp_path: Path) -> None:
    # spec: T4
    need("sslyze")
    files = ensure_certificate(tmp_path, [HOST])
    config = configure(
        "127.0.0.1:1",
        listen={"https": "127.0.0.1:0"},
        tls=tls_config({"cert": str(files.cert), "key": str(files.key)}),
    )
    with FrontDoor(config, tmp_path) as door:
        command = ["sslyze", "--mozilla_config=intermediate", f"127.0.0.1:{door.https}"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False).stdout
    assert 'Checking results against Mozilla\'s "intermediate" configuration' in said
    complaints = re.findall(r"^ +\* (\w+): ", said.partition("COMPLIANCE AGAINST")[2], re.MULTILINE)
    assert complaints == ["certificate_path_validation"], said  # nobody vouches for a self-signed certificate
