"""What is learned from shipped data of molecules and polymers: refitted, never pickled."""
