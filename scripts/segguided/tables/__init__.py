"""Tables: layouts (the columns of each), frame (numbers), sheet (texts), markdown and typeset (files)."""
