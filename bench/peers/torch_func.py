"""Chain norms by torch.func: the Jacobian of every step at once, then a loop of products."""

# Only where the extra `peers` is installed.
# pyright: reportMissingImports=false

from collections.abc import Sequence

import torch

from bench.peers.contender import ChainProblem, Contender
from bench.peers.torch_setup import device_of, finished, tensor_on


def contenders(problem: ChainProblem) -> Sequence[Contender]:
    """`vmap(jacrev(step))` over the states; `jacfwd` was slower at every size tried."""
    cell, device = problem.cell, device_of(problem.on_gpu)
    tensor = tensor_on(device)
    weight, bias = tensor(cell.weight_hh), tensor(cell.bias)
    weight_xh, xs, first = tensor(cell.weight_xh), tensor(problem.xs), tensor(cell.initial_state())

    def step(state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
        return torch.tanh(weight @ state + drive)

    @torch.no_grad()
    def log_norms() -> torch.Tensor:
        drives = xs @ weight_xh.T + bias
        state = first
        before = []
        for drive in drives:
            before.append(state)
            state = step(state, drive)
        jacobians = torch.func.vmap(torch.func.jacrev(step))(torch.stack(before), drives)
        product = torch.eye(len(state), dtype=state.dtype, device=device)
        norms = [torch.linalg.matrix_norm(product)]
        for jacobian in jacobians.flip(0):
            product = product @ jacobian
            norms.append(torch.linalg.matrix_norm(product))
        return finished(torch.log(torch.stack(norms)))

    return [
        Contender(
            name="torch_func",
            version=torch.__version__,
            method="vmap_jacrev_then_products",
            call=log_norms,
            answer=lambda: {"log_norm": log_norms().cpu().numpy()},
        )
    ]
