"""Mutations of files for tests: of their bytes, of trees that they hold, of the cells of a CSV file."""

import csv
import io
import json
import math

from hypothesis import strategies as st

NASTY = [
    "", " ", "nan", "inf", "-inf", "1e400", "-5", "0", "3.5", "1e3", "abc", "NA", "None", "True", "é", '"', "'",
    "a\nb", "a\r\nb", "\r", "\0", "9" * 30, "9" * 5000, "0x10", " 1 ", "1,2", "=1+1", "\u202e", "[", "{}", "-0.0", "1979-05-27",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(NASTY),
    st.sampled_from(
        [True, False, 0, 1, -1, 2**31, 2**63, 10**400, 0.5, math.nan, math.inf, -math.inf, 1e300]
    ),
    st.sampled_from([[], {}, [[]], [1, "a"], {"a": 1}, [{}], [[1], [2]], {"": ""}]),
    st.sampled_from(["lstm", "elman_tanh", "adding", "none", "float64", "fresh", "clip_by_norm", "diverged"]),
)
PLACES = st.floats(0, 1, exclude_max=True)
BYTES = st.one_of(st.binary(max_size=4), st.sampled_from([text.encode() for text in NASTY]))
OPERATIONS = (
    "cut",
    "delete",
    "double",
    "insert",
    "replace",
    "utf-16",
    "latin-1",
    "utf-8-sig",
    "crlf",
    "deep",
)
BYTE_CHANGES = st.tuples(st.sampled_from(OPERATIONS), PLACES, st.integers(1, 40), BYTES)
TREE_CHANGES = st.tuples(
    st.sampled_from(("value", "value", "value", "rename", "delete", "wrap", "add", "double")), PLACES, VALUES
)


def changed_bytes(content, change):
    """The content with one change to its bytes."""
    operation, place, length, payload = change
    at = int(place * (len(content) + 1))
    if operation in ("utf-16", "latin-1", "utf-8-sig"):
        return content.decode("utf-8", errors="replace").encode(operation, errors="replace")
    return {
        "cut": lambda: content[:at],
        "delete": lambda: content[:at] + content[at + length :],
        "double": lambda: content[: at + length] + content[at:],
        "insert": lambda: content[:at] + payload + content[at:],
        "replace": lambda: content[:at] + payload + content[at + length :],
        "crlf": lambda: content.replace(b"\n", b"\r\n"),
        "deep": lambda: content[:at] + b"[" * (2000 * length) + content[at:],
    }[operation]()


def changed_tree(tree, change):
    """A tree of dictionaries and lists with one change at one of its places."""
    operation, place, value = change
    tree = json.loads(json.dumps(tree))
    places = list(_places(tree))
    if not places:
        return value
    holder, key = places[int(place * len(places))]
    if operation == "value":
        holder[key] = value
    elif operation == "delete":
        del holder[key]
    elif operation == "wrap":
        holder[key] = [holder[key]] if place < 0.5 else {str(value)[:20]: holder[key]}
    elif isinstance(holder, dict):
        if operation == "rename":
            holder[str(value)[:20]] = holder.pop(key)
        else:
            holder[f"{key}s" if operation == "double" else str(value)[:20]] = value
    else:
        holder.append(holder[key] if operation == "double" else value)
    return tree


def _places(tree):
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def toml(tree):
    """A dictionary as a TOML file."""
    return "".join(f"{json.dumps(key)} = {_toml_value(value)}\n" for key, value in tree.items())


def _toml_value(value):
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    return json.dumps(value).replace("\x7f", "\\u007F") if value is not None else '"none"'


CSV_OPERATIONS = (
    *(
        "cell",
        "cell",
        "cell",
        "cell",
        "column of cells",
        "drop column",
        "rename column",
        "double column",
        "swap columns",
    ),
    *("drop row", "double row", "turn rows", "shorter row", "longer row", "no rows"),
)
CSV_CHANGES = st.tuples(
    st.sampled_from(CSV_OPERATIONS), PLACES, PLACES, st.one_of(st.sampled_from(NASTY), VALUES.map(str))
)


def changed_csv(content, change):
    """A CSV file with one change to its cells, columns or rows."""
    operation, down, across, text = change
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    row, column = 1 + int(down * (len(rows) - 1)), int(across * len(rows[0]))
    other = int(down * len(rows[0]))
    if operation == "cell":
        rows[min(row, len(rows) - 1)][column] = text
    elif operation == "column of cells":
        for each in rows[1:]:
            each[column] = text
    elif operation == "drop column":
        rows = [each[:column] + each[column + 1 :] for each in rows]
    elif operation == "rename column":
        rows[0][column] = text
    elif operation == "double column":
        rows = [[*each, each[column]] for each in rows]
    elif operation == "swap columns":
        for each in rows:
            each[column], each[other] = each[other], each[column]
    elif operation == "drop row":
        del rows[row : row + 1]
    elif operation == "double row":
        rows += rows[row : row + 1]
    elif operation == "turn rows":
        rows[1:] = rows[:0:-1]
    elif operation == "shorter row":
        rows[min(row, len(rows) - 1)] = rows[-1][:column]
    elif operation == "longer row":
        rows[min(row, len(rows) - 1)] = [*rows[-1], text]
    else:
        rows = rows[:1]
    whole = io.StringIO(newline="")
    csv.writer(whole, lineterminator="\n").writerows(rows)
    return whole.getvalue().encode("utf-8", errors="replace")
