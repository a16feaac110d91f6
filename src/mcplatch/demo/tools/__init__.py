"""The demonstration's four tools as plain functions: arguments in, an answer or a Mistake out."""
