//! Payment services played offline, driven by the same definition files.
