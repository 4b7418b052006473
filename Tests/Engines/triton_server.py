"""Triton's server, as nvidia-pytriton carries it: triton_server.py HTTP_PORT METRICS_PORT INSTANCES

It is started as itself with a repository of one model of two kinds, without pytriton's own layer: what is asked is what Triton
does when a client leaves. Runs in the environment of Triton and becomes the server.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytriton
from pytriton.utils.distribution import get_libs_path

HERE = Path(__file__).resolve().parent
CONFIG = """\
name: "{name}"
backend: "python"
max_batch_size: 0
input [ {{ name: "milliseconds" data_type: TYPE_FP32 dims: [ 1 ] }} ]
output [ {{ name: "trace" data_type: TYPE_FP32 dims: [ 1 ] }} ]
instance_group [ {{ kind: KIND_CPU count: {instances} }} ]
model_transaction_policy {{ decoupled: {decoupled} }}
"""


def write_model(repository: Path, name: str, instances: int, decoupled: bool) -> None:
    """One model's folder."""
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    shutil.copy(HERE / "triton_model.py", folder / "1" / "model.py")
    text = CONFIG.format(name=name, instances=instances, decoupled=str(decoupled).lower())
    (folder / "config.pbtxt").write_text(text)


def backends(scratch: Path, carried: Path) -> Path:
    """The Python backend with the stub of this Python's version beside it."""
    folder = scratch / "backends"
    shutil.copytree(carried / "backends", folder)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = carried / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, folder / "python" / stub.name)
    return folder


def serve(http_port: int, metrics_port: int, instances: int) -> None:
    """Becomes the server."""
    carried = Path(pytriton.__file__).parent / "tritonserver"
    scratch = Path(tempfile.mkdtemp(prefix="triton-"))
    for name in ("work", "stream"):
        write_model(scratch / "models", name, instances, name == "stream")
    libraries = [str(get_libs_path()), sysconfig.get_config_var("LIBDIR")]
    environment = {
        **os.environ,
        # The stub embeds the Python whose library it finds: the one that runs this.
        "LD_LIBRARY_PATH": ":".join(libraries),
        # An embedded Python takes the first python3 of PATH for itself, and its packages with it.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    server = carried / "bin" / "tritonserver"
    server.chmod(0o755)
    options = {
        "model-repository": scratch / "models",
        "backend-directory": backends(scratch, carried),
        "http-address": "127.0.0.1",
        "http-port": http_port,
        "metrics-address": "127.0.0.1",
        "metrics-port": metrics_port,
        "metrics-interval-ms": 100,
        "allow-grpc": "false",
        "allow-gpu-metrics": "false",
        "exit-timeout-secs": 3,
        "backend-config": f"python,shm-region-prefix-name=penstock-{os.getpid()}",
    }
    command = [str(server), *(f"--{name}={value}" for name, value in options.items())]
    os.execve(server, command, environment)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
