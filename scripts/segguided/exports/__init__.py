"""What leaves the pipeline in layouts of others."""
