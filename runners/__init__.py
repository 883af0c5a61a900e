"""The same build on other engines: Prism and Flink, started, compared byte for byte, and stopped."""
