"""The pipeline as its code declares it: host.toml, task graph, surfaces, plans, candidates."""
