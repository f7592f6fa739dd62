"""Comparisons with peers and with the physical limit; each script prints a table."""
