"""The tests: beside this package's end-to-end part, one folder a layer of `lb`."""
