"""Triton's models "work" and "stream", for its Python backend: the server copies this file into its repository.

Both hold their instance for as many milliseconds as the input says, as a program waits for its accelerator, and multiply two
matrices. `stream` answers in five parts meanwhile, by /generate_stream.
"""

from __future__ import annotations

import time
from typing import Any

import numpy
import triton_python_backend_utils as backend

WIDTH = 128
PARTS = 5
MATRIX = numpy.random.default_rng(17).standard_normal((WIDTH, WIDTH)).astype(numpy.float32)


def answer() -> Any:
    """What a computation comes to."""
    trace = numpy.trace(MATRIX @ MATRIX).reshape(1).astype(numpy.float32)
    return backend.InferenceResponse([backend.Tensor("trace", trace)])


def seconds(request: Any) -> float:
    """How long a request wants to be computed."""
    tensor = backend.get_input_tensor_by_name(request, "milliseconds")
    return float(tensor.as_numpy().flat[0]) / 1000


class TritonPythonModel:
    """One instance; Triton calls it with the requests of one batch."""

    def initialize(self, args: dict[str, str]) -> None:
        """Learns which of the two it is."""
        self.streams = args["model_name"] == "stream"
        # Triton counts what waits; what is being computed it leaves to the model. All instances share the gauge.
        family = backend.MetricFamily("work_running", "Requests being computed", backend.MetricFamily.GAUGE)
        self.family, self.running = family, family.Metric({"model": args["model_name"]})

    def execute(self, requests: list[Any]) -> list[Any] | None:
        """Computes, one after the other."""
        self.running.increment(len(requests))
        try:
            if not self.streams:
                return [self.compute(request) for request in requests]
            for request in requests:
                self.stream(request)
            return None
        finally:
            self.running.increment(-len(requests))

    def compute(self, request: Any) -> Any:
        """One answer in one piece."""
        time.sleep(seconds(request))
        return answer()

    def stream(self, request: Any) -> None:
        """One answer in parts."""
        sender = request.get_response_sender()
        for _ in range(PARTS):
            time.sleep(seconds(request) / PARTS)
            sender.send(answer())
        sender.send(flags=backend.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
