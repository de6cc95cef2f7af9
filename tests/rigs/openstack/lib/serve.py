"""Serve a WSGI application on 127.0.0.1: serve.py MODULE PORT THREADS."""

import importlib
import sys

from waitress import serve

module, port, threads = sys.argv[1:]
sys.argv = [module]  # the application parses sys.argv with oslo.config, which must not see ours
serve(importlib.import_module(module).application, host="127.0.0.1", port=int(port), threads=int(threads))
