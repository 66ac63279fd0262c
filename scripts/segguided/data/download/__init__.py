"""Downloads: files arrive complete and checked, or not at all."""
