//! Time zones by their names.

use cinnabar_port::error::{Error, Result};
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Anything longer is not the name of a zone.
const MAX_BYTES: usize = 256;

/// Finds the zone of this name; returns it with the name as the database has it.
///
/// # Errors
/// `E_INVALID_ARGUMENT` for an unknown name.
pub fn find(name: &str) -> Result<(TimeZone, String)> {
    let refused = |name: &str| Error::argument(format!("timeZone must be a name such as Europe/Berlin, got {name}"));
    if name.len() > MAX_BYTES {
        return Err(refused(&format!("{} bytes", name.len())));
    }
    let zone =
        TimeZoneDatabase::bundled().get(name).map_err(|error| refused(&format!("{name:?}")).with_source(error))?;
    // `Etc/Unknown` is a zone without a name.
    let iana_name = zone.iana_name().map(str::to_owned).ok_or_else(|| refused(&format!("{name:?}")))?;
    Ok((zone, iana_name))
}
