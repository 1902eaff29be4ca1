"""The weights of PyTorch's recurrent modules, in cells of our own."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from rnn_jax.cells.elman import Elman
from rnn_jax.cells.gru import GRU
from rnn_jax.cells.lstm import LSTM
from rnn_jax.dtypes import float_dtype

KINDS = {1: "rnn", 3: "gru", 4: "lstm"}
"""Kinds by the rows of weight_hh for each of its columns."""
NONLINEARITIES = ("tanh", "relu")
_MATRICES, _BIASES = ("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")


def from_torch(
    state_dict: Any, kind: str | None = None, *, nonlinearity: str | None = None
) -> Elman | GRU | LSTM:
    """One of our cells with the weights of a torch.nn.RNN, GRU or LSTM.

    The cell's Jacobians have the cheap exact forms that its structure allows. PyTorch adds two biases;
    only in the candidate of a GRU do they act apart, so all others are summed. The weights are copied:
    later changes in PyTorch do not reach the cell. PyTorch is not imported.

    Args:
        state_dict: that of a module of one layer and one direction: "weight_ih_l0", "weight_hh_l0" and,
            unless it was made with bias=False, "bias_ih_l0" and "bias_hh_l0". Keys without "_l0", as
            RNNCell, GRUCell and LSTMCell have them, are read too. Tensors or numpy arrays.
        kind: "rnn", "gru" or "lstm"; read off the rows of weight_hh if None, and checked otherwise.
        nonlinearity: of an RNN, "tanh" or "relu"; PyTorch's default, "tanh", if None. A state dict does
            not tell, so give what the module was made with.

    Returns:
        an `Elman` for an RNN, a `GRU` with reset="after", or an `LSTM`, in the dtype of the weights.
        The state of an LSTM is `LSTMState(h, c)`.

    Raises:
        TypeError: `state_dict` is not a mapping of keys to arrays.
        ValueError: a key is missing or belongs to several layers, two directions, a projection or
            another module; a shape or dtype does not fit; `kind` contradicts the weights;
            `nonlinearity` is unknown or given for a gated cell.

    Example:
        >>> import numpy as np, jax.numpy as jnp, rnn_jax as rj
        >>> weights = np.random.default_rng(0).normal(size=(4 * 8, 3 + 8)).astype(np.float32)
        >>> cell = rj.adapters.from_torch({"weight_ih_l0": weights[:, :3], "weight_hh_l0": weights[:, 3:]})
        >>> type(cell).__name__
        'LSTM'
        >>> xs = jnp.ones((20, 3), jnp.float32)
        >>> rj.jacobian_chain(cell, cell.initial_state(), xs).log_frobenius_norm.shape
        (21,)

    References:
        The equations in the documentation of torch.nn.RNN, torch.nn.GRU and torch.nn.LSTM.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict must map names to arrays, got {type(state_dict).__name__}; pass module.state_dict()"
        )
    given = {str(key): value for key, value in state_dict.items()}
    arrays = {_plain_name(key, given): _as_numpy(key, value) for key, value in given.items()}
    gates, hidden_size = _checked_shapes(arrays)
    found = KINDS[gates]
    if kind is not None and kind not in KINDS.values():
        raise ValueError(f"kind must be one of {', '.join(KINDS.values())}, or None, got {kind!r}")
    if kind not in (None, found):
        raise ValueError(
            f"kind is {kind!r} but weight_hh of shape {arrays['weight_hh'].shape} has the {gates} x hidden "
            f"rows of {found!r}; leave kind out"
        )
    if nonlinearity is not None and found != "rnn":
        raise ValueError(
            f"nonlinearity is {nonlinearity!r} but the weights are those of {found!r}, which has none to "
            "choose; leave nonlinearity out"
        )
    if nonlinearity not in (None, *NONLINEARITIES):
        raise ValueError(f"nonlinearity must be one of {', '.join(NONLINEARITIES)}, got {nonlinearity!r}")
    dtype = float_dtype(arrays["weight_hh"].dtype)
    zeros = np.zeros(gates * hidden_size, dtype)
    input_bias, state_bias = (arrays.get(name, zeros) for name in _BIASES)
    weight_xh, weight_hh = (_copied(arrays[name]) for name in _MATRICES)
    if found == "rnn":
        bias = _copied(input_bias + state_bias)
        return Elman(weight_hh, weight_xh, bias, activation=nonlinearity or "tanh")
    if found == "lstm":
        return LSTM(weight_hh, weight_xh, _copied(input_bias + state_bias))
    candidate = slice(2 * hidden_size, None)  # r, z, n: its second bias is inside r * (...)
    outside = state_bias.copy()
    outside[candidate] = 0
    return GRU(
        weight_hh, weight_xh, _copied(input_bias + outside), _copied(state_bias[candidate]), reset="after"
    )


def _plain_name(key: str, given: Mapping[str, Any]) -> str:
    """The key without "_l0".

    Raises:
        ValueError: it names something that one of our cells has no place for.
    """
    name = key.removesuffix("_l0")
    if name in _MATRICES + _BIASES:
        if name != key and name in given:
            raise ValueError(f"state_dict must be that of one module, but has both {key!r} and {name!r}")
        return name
    what, mend = "no weight of one RNN, GRU or LSTM", "leave it out"
    last = key.rpartition(".")[2]
    normalized = key.removesuffix("_g").removesuffix("_v")
    _, made, parametrized = key.rpartition("parametrizations.")
    if made or (normalized != key and normalized.startswith(_MATRICES)):
        tensor = parametrized.split(".")[0] if made else normalized
        raise ValueError(
            f"state_dict has the key {key!r}, of which {tensor!r} is computed anew at every call; make that a plain weight "
            f"first, by torch.nn.utils.parametrize.remove_parametrizations(module, {tensor!r}), or of the older weight_norm "
            f"by torch.nn.utils.remove_weight_norm(module, {tensor!r}), and pass state_dict() again"
        )
    if last != key and last.startswith((*_MATRICES, *_BIASES, "weight_hr")):
        what = "the weight of a module inside another"
        mend = f"pass that module's own state_dict(), model.{key.rpartition('.')[0]}.state_dict()"
    elif key.endswith("_reverse"):
        what = "of the second direction of a bidirectional module"
        mend = "pass the weights of one direction, each as a cell of its own"
    elif key.startswith("weight_hr"):
        what = "a projection (proj_size), which our LSTM has not"
        mend = "train without proj_size, or write the step as a function (state, x) -> state"
    elif key.rpartition("_l")[2].isdecimal():
        what = "of another layer than the first"
        mend = "pass one layer at a time, its keys renamed to end in _l0; each is a cell of its own"
    raise ValueError(f"state_dict has the key {key!r}, {what}; {mend}")


def _as_numpy(key: str, value: Any) -> np.ndarray:
    try:
        array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    except TypeError as error:  # numpy has no bfloat16
        raise ValueError(
            f"state_dict[{key!r}] is of a dtype that numpy has not ({error}); pass {{k: v.float() for k, v "
            "in state_dict.items()}"
        ) from error
    return array


def _checked_shapes(arrays: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """The number of gates and the hidden size.

    Raises:
        ValueError: a key is missing, or a shape or dtype does not fit the others.
    """
    for name in _MATRICES:
        if name not in arrays:
            raise ValueError(
                f"state_dict must have the key '{name}_l0', got {', '.join(arrays) or 'no keys'}; pass the "
                "state_dict() of a torch.nn.RNN, GRU or LSTM"
            )
    biases = [name for name in _BIASES if name in arrays]
    if len(biases) == 1:
        raise ValueError(
            f"state_dict must have both biases or none, got '{biases[0]}_l0' alone; give the other"
        )
    hh = arrays["weight_hh"]
    gates = hh.shape[0] // hh.shape[1] if hh.ndim == 2 and hh.size else 0
    if gates not in KINDS or hh.shape[0] != gates * hh.shape[1]:
        raise ValueError(
            "state_dict['weight_hh_l0'] must have shape (gates * hidden, hidden) with 1 (RNN), 3 (GRU) or "
            f"4 (LSTM) gates, got {hh.shape}"
        )
    for name, array in arrays.items():
        fits = array.shape[:1] == hh.shape[:1] and array.ndim == (2 if name in _MATRICES else 1)
        if not fits:
            raise ValueError(
                f"state_dict['{name}_l0'] must have {hh.shape[0]} rows like weight_hh_l0 of shape {hh.shape}, "
                f"got shape {array.shape}"
            )
        if array.dtype != hh.dtype:
            raise ValueError(
                f"state_dict['{name}_l0'] must be of the dtype of weight_hh_l0, {hh.dtype}, got "
                f"{array.dtype}; cast all to one"
            )
    return gates, hh.shape[1]


def _copied(array: np.ndarray) -> Array:
    return jnp.array(array, copy=True)  # on a CPU, JAX may otherwise share PyTorch's memory
