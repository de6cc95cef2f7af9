"""cinder's API, scheduler and volume service in one process, as in nova_all.py: cinder_all.py --config-file FILE."""

# eventlet has to patch the standard library before anything imports it
# ruff: noqa: E402
import eventlet

eventlet.monkey_patch()

import sys

from cinder import coordination, objects, rpc, service, version
from cinder.common import config
from oslo_config import cfg
from oslo_log import log
from oslo_service import service as oslo_service

CONF = cfg.CONF
objects.register_all()
CONF(sys.argv[1:], project="cinder", version=version.version_string())
config.set_middleware_defaults()
log.setup(CONF, "cinder")
coordination.COORDINATOR.start()
rpc.init(CONF)
launcher = oslo_service.ServiceLauncher(CONF, restart_method="mutate")
# The volume service tells the scheduler of its room when it starts, so the scheduler goes first.
for binary, host, backend in (("cinder-scheduler", CONF.host, None),
                              *(("cinder-volume", f"{CONF.host}@{name}", name) for name in CONF.enabled_backends)):
    launcher.launch_service(service.Service.create(binary=binary, host=host, service_name=backend))
launcher.launch_service(service.WSGIService("osapi_volume"))
launcher.wait()
