"""Look at a folder of your own images and masks and write a first configuration; run by hand."""

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.app.start.main import main

if __name__ == "__main__":
    main()
