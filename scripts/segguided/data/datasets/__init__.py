"""The datasets: fetch them, find their files, describe them."""
