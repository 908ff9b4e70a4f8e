"""The one training loop and what surrounds it. Knows neither YAML nor any concrete data or model."""
