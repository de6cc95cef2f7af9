"""nova's API, conductor, scheduler and compute in one process: nova_all.py --config-file FILE.

With transport_url = fake:/ their messages stay in the process, so there is no message broker to bring up. What is
called here is what nova's own commands (nova.cmd.compute and its neighbours) call.
"""

import nova.monkey_patch  # noqa: I001  eventlet has to patch the standard library before anything imports it

import shlex
import sys

from nova import config, objects, service, utils
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
import nova.conf
from nova.scheduler import rpcapi as scheduler_rpcapi
import os_brick
import os_vif
from oslo_log import log
from oslo_privsep import priv_context
from oslo_service import service as oslo_service

CONF = nova.conf.CONF
config.parse_args(sys.argv)
log.setup(CONF, "nova")
priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
objects.register_all()
os_brick.setup(CONF)
os_vif.initialize()
launcher = oslo_service.ServiceLauncher(CONF, restart_method="mutate")
for binary, rpcapi in (("nova-conductor", conductor_rpcapi), ("nova-scheduler", scheduler_rpcapi),
                       ("nova-compute", compute_rpcapi)):
    launcher.launch_service(service.Service.create(binary=binary, topic=rpcapi.RPC_TOPIC))
launcher.launch_service(service.WSGIService("osapi_compute"))
launcher.wait()
