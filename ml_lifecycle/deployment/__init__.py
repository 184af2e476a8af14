"""Step 6, deployment: how does it reach users, and how is it taken back?"""

from ._log import RequestLog
from .docker import write_docker
from .registry import Registry
from .release import ReleaseReport, check_release
from .rollout import Rollout, ShadowReport, shadow_report
from .serving import create_app, running
from .version import ModelVersion

__all__ = [
    "ModelVersion", "Registry", "ReleaseReport", "RequestLog", "Rollout", "ShadowReport", "check_release", "create_app",
    "running", "shadow_report", "write_docker",
]
