"""The catalogue of causes: one tuple of rows. A new cause is a row here and its test."""

from tasks.diagnose.catalogue.configuration import CONFIGURATION
from tasks.diagnose.catalogue.credentials import CREDENTIALS
from tasks.diagnose.catalogue.dependency import DEPENDENCY
from tasks.diagnose.catalogue.exposure import EXPOSURE
from tasks.diagnose.catalogue.infrastructure import INFRASTRUCTURE
from tasks.diagnose.catalogue.placement import PLACEMENT
from tasks.diagnose.catalogue.resource import RESOURCE
from tasks.diagnose.catalogue.service import SERVICE
from tasks.diagnose.catalogue.volumes import VOLUMES
from tasks.diagnose.cause import Cause

CAUSES: tuple[Cause, ...] = (
    *CONFIGURATION,
    *CREDENTIALS,
    *RESOURCE,
    *VOLUMES,
    *PLACEMENT,
    *EXPOSURE,
    *INFRASTRUCTURE,
    *DEPENDENCY,
    *SERVICE,
)
