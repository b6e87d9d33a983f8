"""The one place that talks to models: doors, attempts, money, limits, journal and cache."""
