"""One file a server that is measured; each takes its port from BENCH_PORT."""
