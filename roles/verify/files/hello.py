"""Every rank says where it is, in order, so that the answer of a job is the same each time."""
from mpi4py import MPI

world = MPI.COMM_WORLD
for line in world.gather("rank %d of %d on %s" % (world.rank, world.size, MPI.Get_processor_name())) or []:
    print(line)
