//! Where samples are pulled from: this machine, later scrape targets and probes.
