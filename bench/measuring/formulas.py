"""Floating-point operations, least memory traffic and sequential steps of each timed operation, by formula.

XLA's own cost analysis counts the body of a loop once, however often it runs, so nothing here asks it.

With T steps, n numbers of state, h of them visible (n = h, but 2 h for an LSTM), m inputs, B sequences, g gates
(rows of the recurrent matrix over h) and k exponents:

| operation | flop | least bytes, over the bytes of a number | steps that follow each other |
|---|---|---|---|
| jacobian_chain | 2 T n² h (2 T n³ where the Jacobian is dense) | T (n + m) + weights + norms | 2 T; T blocked |
| trajectory | 2 T B g h (h + m) | T B (n + m) + weights | T |
| training_step, ensemble | 3 x that of the trajectory, x nets | nets x (T B (2 n + m) + 6 weights) | 2 T |
| lyapunov_spectrum | 2 T n h k + (T / q) (4 n k² - 4 k³ / 3) | T m + weights + k | T |

The least bytes are what must come from main memory or go there even if everything between stays in a cache: inputs
and states once (training reads its states again on the way back), each weight once, for Adam weight and two moments in
and out. So the ceiling that follows from them is one that no cache can lift.
The factorizations of a spectrum, every q steps, form R and Q: 2 n k² - 2 k³ / 3 each (Golub & Van Loan, 4th
edition, section 5.2).
"""

from typing import Any

import jax

import rnn_jax as rj


def trajectory_flop(*, rows: int, columns: int, input_size: int, length: int, sequences: int) -> float:
    """Products of a cell's weights, shapes (rows, columns) and (rows, input_size), with states and inputs."""
    return 2.0 * length * sequences * rows * (columns + input_size)


def spectrum_flop(*, state_size: int, visible_size: int, count: int, length: int, qr_interval: int) -> float:
    """Products of the step Jacobians with `count` columns, and their factorizations."""
    products = 2.0 * length * state_size * visible_size * count
    one = 4.0 * state_size * count**2 - 4.0 * count**3 / 3.0
    return products + length / qr_interval * one


def weight_shape(cell: Any) -> dict[str, int]:
    """Rows and columns of the recurrent matrix; a cell without one has no products with it."""
    weight = getattr(cell, "weight_hh", None)
    rows, columns = (0, 0) if weight is None else (weight.shape if weight.ndim == 2 else (weight.size, 0))
    return {"rows": rows, "columns": columns}


def weight_count(cell: str, input_size: int, hidden_size: int) -> int:
    """How many numbers a cell holds."""
    made = jax.eval_shape(
        lambda key: rj.cells.create(cell, input_size, hidden_size, key=key), jax.random.key(0)
    )
    return sum(leaf.size for leaf in jax.tree.leaves(made))


def least_bytes(row: Any, bytes_a_number: int) -> float:
    """Least traffic with main memory of one timed call.

    Args:
        row: of timings.csv, by attribute: operation, cell, sizes, lag_count, batch_size, seed_count.
        bytes_a_number: 4 or 8.

    Raises:
        KeyError: there is no formula for the operation.
    """
    weights = weight_count(row.cell, max(1, int(row.input_size)), int(row.hidden_size))
    length, size, inputs = int(row.sequence_length), int(row.state_size), int(row.input_size)
    numbers = {
        "jacobian_chain": lambda: length * (size + inputs) + weights + int(row.lag_count),
        "chain_at_known_states": lambda: length * (size + inputs) + weights + int(row.lag_count),
        "trajectory": lambda: int(row.batch_size) * length * (size + inputs) + weights,
        "training_step": lambda: _training_numbers(row, weights),
        "ensemble": lambda: int(row.seed_count) * _training_numbers(row, weights),
        "lyapunov_spectrum": lambda: length * inputs + weights + size,
    }[row.operation]()
    return float(bytes_a_number) * numbers


def least_steps(row: Any) -> int:
    """How many loop iterations have to follow each other."""
    if row.operation == "chain_at_known_states" and row.method == "blocked":
        return 1  # what follows each other is a choice of ours
    passes = {"training_step": 2, "ensemble": 2, "jacobian_chain": 1 if row.method == "blocked" else 2}
    return passes.get(row.operation, 1) * int(row.sequence_length)


def _training_numbers(row: Any, weights: int) -> int:
    steps = int(row.batch_size) * int(row.sequence_length)
    return steps * (2 * int(row.state_size) + int(row.input_size)) + 6 * weights
