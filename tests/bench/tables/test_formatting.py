import pandas as pd

from bench.tables import markdown


def test_markdown_is_a_table_with_blanks_and_escapes():
    text = markdown(
        pd.DataFrame(
            {
                "text": ["x|y", "plain", "last"],
                "number": [1 / 3, float("nan"), float("-inf")],
                "whole": pd.array([12345, None, 7], dtype="Int64"),
                "maybe": ["", None, pd.NA],
            }
        )
    )
    lines = text.splitlines()
    assert text.endswith("\n")
    assert lines[1] == "|---|---|---|---|"
    assert lines[2] == r"| x\|y | 0.3333 | 12345 |  |"
    assert lines[3] == "| plain |  |  |  |"
    assert lines[4] == "| last | -inf | 7 |  |"
    assert lines[0] == "| text | number | whole | maybe |"
