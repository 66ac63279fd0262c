"""What a running pipeline does: read from its journal, logs and trainings, shown in a terminal or a page."""
