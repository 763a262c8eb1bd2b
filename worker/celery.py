"""`celery -A worker worker` starts here."""

from opssage import log
from opssage.settings import load
from worker.app import create

settings = load()
log.configure(settings.logging)
app = create(settings)
