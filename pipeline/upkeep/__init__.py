"""The care of a warehouse between runs: small files put together, states put back, disk space given back."""
