"""All that is made of CSV files and kept beside them: tables and pictures, and the pages that show them."""
