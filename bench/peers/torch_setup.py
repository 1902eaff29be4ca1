"""PyTorch on the same cores and in the same precision as JAX."""

# Only where the extra `peers` is installed.
# pyright: reportMissingImports=false

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rnn_jax.devices import usable_cores


def device_of(on_gpu: bool) -> torch.device:
    """The device that JAX uses too; on a CPU with as many threads as there are cores.

    Raises:
        RuntimeError: JAX uses a GPU that this build of PyTorch cannot.
    """
    torch.set_num_threads(usable_cores())
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if on_gpu and not torch.cuda.is_available():
        raise RuntimeError(
            "JAX runs on the GPU but this PyTorch cannot: install its CUDA build, or run with --backend cpu"
        )
    return torch.device("cuda" if on_gpu else "cpu")


def tensor_on(device: torch.device) -> Callable[[Any], torch.Tensor]:
    """Copies arrays of JAX to a device, their dtype unchanged."""
    return lambda array: torch.tensor(np.asarray(array), device=device)


def finished(result: Any) -> Any:
    """The result of work that is done: on a GPU torch only queues it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result
