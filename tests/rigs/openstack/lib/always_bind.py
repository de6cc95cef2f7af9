"""ML2 mechanism driver that binds every port at once, without an agent: the port goes ACTIVE."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class AlwaysBind(api.MechanismDriver):
    """Says yes to every port."""

    def initialize(self):
        """There is nothing to set up."""

    @property
    def connectivity(self):
        """What the bound ports have, in neutron's words."""
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        """Bind to the first segment; nova only asks for a known type of interface."""
        context.set_binding(context.segments_to_bind[0][api.ID], portbindings.VIF_TYPE_OVS,
                            {portbindings.CAP_PORT_FILTER: True}, status=constants.PORT_STATUS_ACTIVE)
