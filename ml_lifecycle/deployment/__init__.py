"""Step 6, deployment: how does it reach users, and how is it taken back?"""

from ml_lifecycle.deployment._log import RequestLog
from ml_lifecycle.deployment.docker import write_docker
from ml_lifecycle.deployment.registry import Registry
from ml_lifecycle.deployment.release import ReleaseReport, check_release
from ml_lifecycle.deployment.rollout import Rollout, ShadowReport, shadow_report
from ml_lifecycle.deployment.serving import create_app, running
from ml_lifecycle.deployment.version import ModelVersion

__all__ = [
    "ModelVersion", "Registry", "ReleaseReport", "RequestLog", "Rollout", "ShadowReport", "check_release", "create_app",
    "running", "shadow_report", "write_docker",
]
