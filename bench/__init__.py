"""The harness: runs suites of cases on rnn_jax and writes what they give as CSV, tables and pictures."""
