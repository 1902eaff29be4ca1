"""All that is made of CSV files and kept beside them: tables and pictures, and the parts of README that show them."""
