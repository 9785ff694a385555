"""For gunicorn: ``gunicorn lablink.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lablink.settings")
application = get_wsgi_application()
