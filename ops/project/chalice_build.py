"""A stage's resources and its package, by Chalice's own builder: as `chalice deploy` makes them."""

import os
from pathlib import Path

from chalice.cli.factory import CLIFactory
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import create_build_stage
from chalice.deploy.swagger import TemplatedSwaggerGenerator
from chalice.deploy.validate import validate_configuration
from chalice.utils import UI, OSUtils

from ops.project.packing import prepare_packing


def build(stage: str) -> tuple[list[models.Model], Path]:
    """Return what Chalice would deploy of a stage, and the archive of its functions.

    Chalice imports app.py under the stage's settings, which stay in `os.environ`. It prints what
    it does.
    """
    config = CLIFactory(str(Path.cwd()), environ=os.environ).create_config_obj(stage)
    validate_configuration(config)
    application = ApplicationGraphBuilder().build(config, stage)
    prepare_packing()
    resources = DependencyBuilder().build_dependencies(application)
    create_build_stage(OSUtils(), UI(), TemplatedSwaggerGenerator(), config).execute(
        config, resources
    )
    packages = [model for model in resources if isinstance(model, models.DeploymentPackage)]
    return resources, Path(str(packages[0].filename))
