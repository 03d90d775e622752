//! The embedded engine: Redis commands and scripts, answered in memory.
