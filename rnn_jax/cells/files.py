"""A cell's parameters in a file."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def save(path: str | os.PathLike[str], cell: Any) -> None:
    """Writes a cell's arrays, each under its name, to an npz file; no code and no pickled objects.

    Args:
        path: the file, which ends in .npz; one that is there is replaced.
        cell: any cell, stack or wrapper: a pytree of arrays.

    Raises:
        ValueError: the path does not end in .npz.
    """
    if not os.fspath(path).endswith(".npz"):
        raise ValueError(f"path must end in .npz, got {os.fspath(path)!r}")
    arrays = {
        jax.tree_util.keystr(place): np.asarray(leaf) for place, leaf in jax.tree.leaves_with_path(cell)
    }
    np.savez(path, allow_pickle=False, **arrays)


def load(path: str | os.PathLike[str], cell: Any) -> Any:
    """The cell with the arrays of a file that `save` wrote.

    Args:
        path: the file.
        cell: one of the same class, sizes, options and dtype, for example freshly created.

    Raises:
        ValueError: the file holds other names, shapes or dtypes than the cell.
        FileNotFoundError: there is no such file.
    """
    leaves, structure = jax.tree.flatten_with_path(cell)
    with np.load(path, allow_pickle=False) as found:
        names = [jax.tree_util.keystr(place) for place, _ in leaves]
        if set(names) != set(found.files):
            raise ValueError(
                f"{os.fspath(path)} holds {', '.join(sorted(found.files))}, but a {type(cell).__name__} "
                f"has {', '.join(sorted(names))}; create the cell as the one that was saved"
            )
        arrays = [found[name] for name in names]
    for name, array, (_, leaf) in zip(names, arrays, leaves, strict=True):
        if (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(
                f"{name} is {array.shape} {array.dtype} in {os.fspath(path)}, but {leaf.shape} {leaf.dtype} "
                "in the cell; create the cell with the sizes and dtype of the one that was saved"
            )
    return jax.tree.unflatten(structure, [jnp.asarray(array) for array in arrays])
