"""`gunicorn webapi.wsgi:app` starts here."""

from opssage import log
from opssage.settings import load
from webapi.service import create_service

settings = load()
log.configure(settings.logging)
app = create_service(settings)
