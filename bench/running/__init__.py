"""Measures the cases of a suite, here or in other processes, and says what was and will be measured."""
