"""Simulation is quiet: what thousands of passes log says nothing that a test needs."""

from __future__ import annotations

import logging

import structlog

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
