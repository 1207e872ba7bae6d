//! Care for a data directory.

mod upgrade;
