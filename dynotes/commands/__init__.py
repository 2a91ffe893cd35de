"""Commands of the scripts that hold too many for one file."""
