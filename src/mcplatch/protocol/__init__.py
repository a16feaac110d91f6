"""The rules of the wire: every OAuth and MCP authorization message, built and parsed; standard
library only.
"""
