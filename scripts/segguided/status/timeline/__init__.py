"""When each job of a run worked, and which chain of jobs decided how long the run took."""
