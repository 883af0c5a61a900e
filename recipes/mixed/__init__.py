"""Sets that hold several tasks."""
