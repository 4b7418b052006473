"""A short part of the differential test; deploy/test-long.sh runs a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from differential import HAPROXY, NGINX, explained, run

pytestmark = pytest.mark.skipif(
    not (NGINX and HAPROXY), reason="nginx or HAProxy is not installed"
)


@pytest.mark.limit(120)
@pytest.mark.parametrize("seed", [1])
def test_every_difference_is_explained(penstock: Path, tmp_path: Path, seed: int) -> None:
    """Where Penstock reads a request in another way than nginx or HAProxy, differences.md says why."""
    comparison, nonsense = run(penstock, tmp_path, seed, 500)
    assert not nonsense, f"seed {seed}: an origin got {nonsense[0]!r}"
    assert sum(comparison.found.values()) > 100, "hardly anything was compared"
    unexplained = {
        key: comparison.examples[key] for key in comparison.found if key not in explained()
    }
    assert not unexplained, f"seed {seed}: {unexplained}"
