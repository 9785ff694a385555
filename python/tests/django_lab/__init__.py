"""An application with images, for the tests of Django."""
