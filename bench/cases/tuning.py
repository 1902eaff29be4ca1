"""Chooses a step size from a grid, on other seeds than those that are reported."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rnn_jax as rj

FIRST_TUNING_SEED = 1_000_000
"""Reported seeds are smaller, so that no net is both tuned on and reported."""

Trained = Callable[[Sequence[int], Sequence[float], int, str], rj.TrainingResult]
"""`trained(seeds, learning_rates, step_budget, what)`, one rate a seed."""


def grid_of(text: str) -> list[float]:
    """The step sizes that a text such as "5e-4 2e-3 8e-3" lists, in ascending order.

    Raises:
        ValueError: it lists fewer than two, one twice, or something that is not a positive number.
    """
    try:
        rates = sorted(float(word) for word in text.split())
    except ValueError:
        rates = []
    if len(set(rates)) < 2 or len(set(rates)) < len(rates) or not 0 < rates[0] <= rates[-1] < np.inf:
        raise ValueError(
            f'learning_rate_grid must list two or more different step sizes, such as "5e-4 2e-3", got {text!r}'
        )
    return rates


def chosen_rate(case: Any, trained: Trained) -> tuple[float, list[dict[str, Any]]]:
    """The step size whose nets have the least held-out loss, and the rows of tuning.csv.

    All step sizes are one ensemble, and so, where there are as many reported seeds, the program that trains
    those. What counts is the median over the tuning seeds; one that diverged counts as infinite, and the smaller
    of equals is taken.
    """
    grid = grid_of(case["learning_rate_grid"])
    numbers = [FIRST_TUNING_SEED + seed for seed in range(case["tuning_seeds"])]
    pairs = [(rate, seed) for rate in grid for seed in numbers]
    rates, seeds = [rate for rate, _ in pairs], [seed for _, seed in pairs]
    result = trained(seeds, rates, case["tuning_steps"], "tuning")
    loss = np.where(np.isfinite(result.final_loss), result.final_loss, np.inf)
    best = grid[int(np.argmin(np.median(loss.reshape(len(grid), len(numbers)), axis=1)))]
    return best, [
        {
            "seed": seed,
            "learning_rate": rate,
            "steps_run": int(result.steps_run[place]),
            "accuracy": float(result.final_accuracy[place]),
            "loss": float(result.final_loss[place]),
            "verdict": result.verdict[place],
            "chosen": rate == best,
        }
        for place, (rate, seed) in enumerate(pairs)
    ]
