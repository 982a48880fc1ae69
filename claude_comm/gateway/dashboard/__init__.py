"""The dashboard: pages that a browser shows, mounted by the gateway at `/`."""
