"""What measurements rest on: clocks, floating-point operations by formula, agreement of numbers."""
