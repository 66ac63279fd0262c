"""What the Snakefile asks before any job runs."""
