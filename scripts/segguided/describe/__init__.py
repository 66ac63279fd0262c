"""Descriptions of a dataset: the overview picture and the data card."""
