"""What a value of the configuration may be, and the sentence on a wrong one."""
