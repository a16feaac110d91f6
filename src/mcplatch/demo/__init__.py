"""The demonstration: three programs on loopback that show the whole of mcplatch at work."""
