"""How wrong labels are found: out-of-fold tables, the floor of chance, findings, drawing."""
