"""Chain norms as one writes them in PyTorch: the unrolled net, and one batched call of autograd."""

# Only where the extra `peers` is installed.
# pyright: reportMissingImports=false

from collections.abc import Sequence

import torch

from bench.peers.contender import ChainProblem, Contender
from bench.peers.torch_setup import device_of, finished, tensor_on


def contenders(problem: ChainProblem) -> Sequence[Contender]:
    """`torch.autograd.grad(h_T, [h_0..h_T], identity, is_grads_batched=True)`: every lag at once."""
    cell, device = problem.cell, device_of(problem.on_gpu)
    tensor = tensor_on(device)
    weight, bias = tensor(cell.weight_hh), tensor(cell.bias)
    weight_xh, xs, first = tensor(cell.weight_xh), tensor(problem.xs), tensor(cell.initial_state())

    def log_norms() -> torch.Tensor:
        state = first.clone().requires_grad_()
        states = [state]
        for drive in xs @ weight_xh.T + bias:
            state = torch.tanh(weight @ state + drive)
            states.append(state)
        identity = torch.eye(len(state), dtype=state.dtype, device=device)
        gradients = torch.autograd.grad(state, states, identity, is_grads_batched=True)
        norms = torch.stack([torch.linalg.matrix_norm(each) for each in gradients])
        return finished(torch.log(norms).flip(0))

    return [
        Contender(
            name="torch_autograd",
            version=torch.__version__,
            method="batched_vjp",
            call=log_norms,
            answer=lambda: {"log_norm": log_norms().cpu().numpy()},
        )
    ]
