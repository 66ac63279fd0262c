"""What is learnt: networks and their losses."""
