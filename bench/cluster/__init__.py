"""Measures the cases of a run on the nodes of a Ray cluster. Only `engine` imports Ray, and only once it is used."""
