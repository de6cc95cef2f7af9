"""cinder driver whose volumes are rows in the database and nothing else: no root, no LVM, no file.

cinder's own fake driver (cinder.tests) needs the packages of its unit tests, and qemu-img for a volume of an image.
"""

from cinder.volume import driver

CAPACITY_GB = 100_000  # more than all quotas together, so that the quota is what says no


class PretendDisks(driver.VolumeDriver):
    """Says yes to everything."""

    VERSION = "1.0"

    def check_for_setup_error(self):
        """There is nothing to set up."""

    def _update_volume_stats(self):
        self._stats = {"volume_backend_name": "pretend", "vendor_name": "eocluster", "driver_version": self.VERSION,
                       "storage_protocol": "pretend", "total_capacity_gb": CAPACITY_GB, "free_capacity_gb": CAPACITY_GB}

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        """No properties to note, and yes: the image is on the volume, cinder need not download it."""
        return {}, True

    def initialize_connection(self, volume, connector):
        """What nova's fake hypervisor gets; it does not look into it."""
        return {"driver_volume_type": "pretend", "data": {"volume_id": volume.id}}

    def _nothing_to_do(self, *arguments, **keywords):
        """The database is all there is, and cinder itself writes that."""

    create_volume = delete_volume = extend_volume = create_cloned_volume = _nothing_to_do
    create_snapshot = delete_snapshot = create_volume_from_snapshot = _nothing_to_do
    create_export = ensure_export = remove_export = terminate_connection = _nothing_to_do
