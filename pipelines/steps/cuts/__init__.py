"""Where media are cut: between scenes, and where nobody speaks."""
