"""The same services as the tests of the API have."""

from tests.integration.api.conftest import closed_port, registry, services

__all__ = ["closed_port", "registry", "services"]
