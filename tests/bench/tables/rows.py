"""A table's rows, for tests."""


def only_row(table):
    assert len(table) == 1
    return table.iloc[0]
