"""Groups of rows, how sure a figure of them is, and whether two figures differ."""
