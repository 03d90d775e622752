//! What moves requests and replies over the connections.

use std::str::FromStr;

use cinnabar_port::error::{Error, Result};

use super::Environment;

/// The driver of the connections to servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Driver {
    /// Our own.
    #[default]
    Native,
    /// A client of the crate fred for each connection. Messages use the native one nevertheless.
    Fred,
}

impl Driver {
    /// The driver that was chosen: in code, in `REDIS_DRIVER`, or the native one.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for fred in a build without it.
    pub fn resolve(option: Option<Self>, env: &Environment) -> Result<Self> {
        let driver = match option {
            Some(driver) => driver,
            None => env.parse("REDIS_DRIVER", "native or fred")?.unwrap_or_default(),
        };
        if driver == Self::Fred && !cfg!(feature = "fred") {
            return Err(Error::settings(
                "driver (REDIS_DRIVER) is fred, which this build of cinnabar does not have; build it with the feature fred",
            ));
        }
        Ok(driver)
    }
}

impl FromStr for Driver {
    type Err = ();

    fn from_str(name: &str) -> std::result::Result<Self, ()> {
        match name {
            "native" => Ok(Self::Native),
            "fred" => Ok(Self::Fred),
            _ => Err(()),
        }
    }
}
