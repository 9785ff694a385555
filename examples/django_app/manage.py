"""LabLink in small, on Django: the page of the Flask example, and a catalogue that Django renders.

    pip install './python[django]' jinja2
    python examples/django_app/manage.py migrate
    python examples/django_app/manage.py createsuperuser --username you@lab.example --email you@lab.example
    python examples/django_app/manage.py runserver

and open http://127.0.0.1:8000. Images go to local files until AWS_S3_BUCKET says otherwise.
"""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lablink.settings")
execute_from_command_line(sys.argv)
