"""Make neutron's tables straight from its models, for its migrations do not run on SQLite: neutron_schema.py URL."""

import sys

import sqlalchemy
from neutron.db.migration.models import head

head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
