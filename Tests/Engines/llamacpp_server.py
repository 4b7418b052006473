"""The server of llama.cpp, as xllamacpp carries it: llamacpp_server.py MODEL PORT SLOTS [caches]

With `caches` it keeps what it has computed of prompts, of up to four times the length.

It runs in the environment of llama.cpp, with one thread for the model, until a signal ends it.
"""

from __future__ import annotations

import signal
import sys

import xllamacpp

CONTEXT_OF_A_SLOT = 512


def serve(model: str, port: int, slots: int, caches: bool) -> None:
    """Serves `model` until a signal comes."""
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.n_parallel = slots
    settings.n_ctx = slots * CONTEXT_OF_A_SLOT * (4 if caches else 1)
    settings.cpuparams.n_threads = 1
    settings.cpuparams_batch.n_threads = 1
    settings.endpoint_metrics = True
    settings.endpoint_slots = True
    # Otherwise prompts that begin alike would be computed once only.
    settings.cache_prompt = caches
    settings.ui = False
    server = xllamacpp.Server(settings)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "caches" in sys.argv[4:])
