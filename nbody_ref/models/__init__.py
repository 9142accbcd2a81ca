"""Published networks as instances, each a page of code built from the parts of this package."""
