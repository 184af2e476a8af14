"""The command line, the run of the lessons on anyone's data, and the report site."""
