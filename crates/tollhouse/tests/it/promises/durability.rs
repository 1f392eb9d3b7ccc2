//! Full disks, weak settings, half-made schemas.
