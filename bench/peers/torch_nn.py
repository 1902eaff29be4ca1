"""A training step with torch.nn.RNN, GRU or LSTM and torch.optim.Adam."""

# Only where the extra `peers` is installed.
# pyright: reportMissingImports=false

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from bench.peers.contender import Answer, Contender, TrainingProblem
from bench.peers.torch_setup import device_of, finished, tensor_on
from rnn_jax.cells import GRU

_LAYERS = {"Elman": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}


def contenders(problem: TrainingProblem) -> Sequence[Contender]:
    """Our weights in PyTorch's layer, the last output read out, the mean squared error, Adam."""
    device = device_of(problem.on_gpu)
    tensor = tensor_on(device)
    inputs, targets = tensor(problem.batch.inputs), tensor(problem.batch.targets)[:, -1]

    def net_and_optimizer():
        layer, readout = _net(problem, device)
        parameters = [*layer.parameters(), *readout.parameters()]
        return layer, readout, torch.optim.Adam(parameters, lr=problem.learning_rate)

    def training_step(layer, readout, optimizer) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        outputs, _ = layer(inputs)
        loss = torch.nn.functional.mse_loss(readout(outputs[:, -1]), targets)
        loss.backward()
        optimizer.step()
        return finished(loss.detach())

    def answer() -> Answer:
        """Of the first step."""
        layer, readout, optimizer = net_and_optimizer()
        parameters = [*layer.parameters(), *readout.parameters()]
        before = [each.detach().clone() for each in parameters]
        loss = training_step(layer, readout, optimizer)
        updates = [after.detach() - start for after, start in zip(parameters, before, strict=True)]
        return {
            "loss": loss.cpu().numpy(),
            "gradient": _in_our_layout(problem, [each.grad for each in parameters]),
            "update": _in_our_layout(problem, updates),
        }

    return [
        Contender(
            name="torch_nn",
            version=torch.__version__,
            method=type(timed[0]).__name__,
            call=partial(training_step, *timed),
            answer=answer,
        )
        for timed in [net_and_optimizer()]
    ]


def _net(problem: TrainingProblem, device: torch.device) -> tuple[torch.nn.Module, torch.nn.Linear]:
    """PyTorch's layer and readout with our weights; its gates stand in the same order as ours."""
    model, tensor = problem.model, tensor_on(device)
    cell = model.cell
    width, hidden_size = cell.weight_xh.shape[1], cell.weight_hh.shape[1]
    options = {"batch_first": True, "device": device, "dtype": tensor(cell.bias).dtype}
    layer = _LAYERS[type(cell).__name__](width, hidden_size, **options)
    readout = torch.nn.Linear(hidden_size, len(model.bias), device=device, dtype=options["dtype"])
    with torch.no_grad():
        layer.weight_ih_l0.copy_(tensor(cell.weight_xh))
        layer.weight_hh_l0.copy_(tensor(cell.weight_hh))
        layer.bias_ih_l0.copy_(tensor(cell.bias))
        layer.bias_hh_l0.zero_()
        if isinstance(cell, GRU):
            layer.bias_hh_l0[2 * hidden_size :] = tensor(cell.bias_candidate)
        readout.weight.copy_(tensor(model.weight))
        readout.bias.copy_(tensor(model.bias))
    return layer, readout


def _in_our_layout(problem: TrainingProblem, tensors: Sequence[torch.Tensor | None]) -> np.ndarray:
    """One vector: weight_hh, weight_xh, bias, (bias_candidate,) readout weight and bias.

    PyTorch has a second bias beside the first, with the same gradient but for the GRU's candidate.
    """
    weight_xh, weight_hh, bias, second_bias, readout_weight, readout_bias = (
        each.detach().cpu().numpy() for each in tensors if each is not None
    )
    parts = [weight_hh, weight_xh, bias]
    if isinstance(problem.model.cell, GRU):
        parts.append(second_bias[-problem.model.cell.bias_candidate.shape[0] :])
    return np.concatenate([part.ravel() for part in (*parts, readout_weight, readout_bias)])
