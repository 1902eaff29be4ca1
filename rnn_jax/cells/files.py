"""A cell's parameters in a file."""

import json
import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ABOUT = "about"


def save(path: str | os.PathLike[str], cell: Any) -> None:
    """Writes a cell's arrays, each under its name, and its options to an npz file; no code and no pickled objects.

    Args:
        path: the file, which ends in .npz; one that is there is replaced.
        cell: any cell, stack or wrapper: a pytree of arrays.

    Raises:
        ValueError: it is no path, or does not end in .npz.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(
            f"path must be the path of a file, such as 'cell.npz', got a {type(path).__name__}: save(path, cell)"
        )
    if not os.fspath(path).endswith(".npz"):
        raise ValueError(f"path must end in .npz, got {os.fspath(path)!r}")
    arrays = {
        jax.tree_util.keystr(place): np.asarray(leaf) for place, leaf in jax.tree.leaves_with_path(cell)
    }
    about = {
        "options": dict(_options(cell)),
        "dtypes": {name: array.dtype.name for name, array in arrays.items()},
    }
    held = {name: _as_numpy_knows_it(array) for name, array in arrays.items()}
    np.savez(path, allow_pickle=False, **{_ABOUT: np.array(json.dumps(about))}, **held)


def load(path: str | os.PathLike[str], cell: Any) -> Any:
    """The cell with the arrays of a file that `save` wrote.

    Args:
        path: the file.
        cell: one of the same class, sizes, options and dtype, for example freshly created.

    Raises:
        ValueError: the file holds other names, shapes, dtypes or options than the cell.
        FileNotFoundError: there is no such file.
    """
    file = os.fspath(path)
    leaves, structure = jax.tree.flatten_with_path(cell)
    with np.load(path, allow_pickle=False) as found:
        names = [jax.tree_util.keystr(place) for place, _ in leaves]
        there = set(found.files) - {_ABOUT}
        if set(names) != there:
            raise ValueError(
                f"{file} holds {', '.join(sorted(there))}, but a {type(cell).__name__} "
                f"has {', '.join(sorted(names))}; create the cell as the one that was saved"
            )
        about = json.loads(str(found[_ABOUT])) if _ABOUT in found.files else {}
        dtypes = about.get("dtypes", {})
        arrays = [found[name].view(jnp.dtype(dtypes.get(name, found[name].dtype))) for name in names]
    for name, array, (_, leaf) in zip(names, arrays, leaves, strict=True):
        if (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(
                f"{name} is {array.shape} {array.dtype} in {file}, but {leaf.shape} {leaf.dtype} "
                "in the cell; create the cell with the sizes and dtype of the one that was saved"
            )
    options = dict(_options(cell))
    saved = about.get("options", options)
    for name in sorted(set(options) | set(saved)):
        if options.get(name) != saved.get(name):
            raise ValueError(
                f"{name} is {saved.get(name, 'missing')} in {file}, but {options.get(name, 'missing')} in the cell; "
                "create the cell with the options of the one that was saved"
            )
    return jax.tree.unflatten(structure, [jnp.asarray(array) for array in arrays])


def _options(node: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """What makes a cell and is no array: the class of each of its parts, and their static fields, as text."""
    if is_dataclass(node):
        yield place or "class", type(node).__name__
        for each in fields(node):
            value = getattr(node, each.name)
            if not each.metadata.get("saved", True):
                continue
            if each.metadata.get("static"):
                yield f"{place}.{each.name}", repr(value)
            else:
                yield from _options(value, f"{place}.{each.name}")
    elif isinstance(node, tuple | list):
        for number, each in enumerate(node):
            yield from _options(each, f"{place}[{number}]")


def _as_numpy_knows_it(array: np.ndarray) -> np.ndarray:
    """The array, or the bits of one of a dtype that a file of NumPy's cannot name, such as bfloat16."""
    return array.view(f"u{array.dtype.itemsize}") if array.dtype.kind == "V" else array
