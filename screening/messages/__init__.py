"""What the program says: errors, validation of input, units and labels, the terminal."""
