"""Getting files from servers, checked and complete or not at all."""
