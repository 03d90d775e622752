//! What the caller said about encryption, with every certificate and key looked at.

use std::fmt;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};

use super::Secret;
use crate::error::{Error, Result};

/// How a connection is encrypted.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// PEM text of the authorities to trust instead of the system's.
    pub ca: Option<String>,
    /// PEM text of the client's certificate, its chain behind it.
    pub cert: Option<String>,
    /// PEM text of the certificate's key.
    pub key: Option<Secret>,
    /// The name that the server's certificate must have, if it is not the host's.
    pub server_name: Option<String>,
}

/// What the caller said of `tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsOptions {
    /// `tls: false`.
    Off,
    /// `tls: true` or `tls: { … }`.
    On(Tls),
}

impl Tls {
    /// Refuses what cannot make a connection.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn check(&self) -> Result<()> {
        let certificates = [("tls.ca", &self.ca), ("tls.cert", &self.cert)];
        for (name, pem) in certificates.into_iter().filter_map(|(name, pem)| Some((name, pem.as_deref()?))) {
            let count = CertificateDer::pem_slice_iter(pem.as_bytes())
                .try_fold(0, |count, certificate| certificate.map(|_| count + 1))
                .map_err(|_| unreadable(name, "a certificate"))?;
            if count == 0 {
                return Err(unreadable(name, "a certificate"));
            }
        }
        if let Some(key) = &self.key {
            // The parser's own words might quote the text.
            PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                .map_err(|_| unreadable("tls.key", "a private key"))?;
        }
        match (&self.cert, &self.key) {
            (Some(_), None) => {
                return Err(Error::settings("tls.cert needs tls.key, the private key that belongs to it"));
            }
            (None, Some(_)) => {
                return Err(Error::settings("tls.key needs tls.cert, the certificate that it belongs to"));
            }
            _ => {}
        }
        if self.server_name.as_deref().is_some_and(|name| ServerName::try_from(name).is_err()) {
            return Err(Error::settings("tls.servername must be a host name or an address, without a port"));
        }
        Ok(())
    }
}

fn unreadable(name: &str, what: &str) -> Error {
    Error::settings(format!(
        "{name} must be {what} as PEM text (-----BEGIN …), not the path of a file; it has none that can be read"
    ))
}

/// Only what is there: somebody may keep certificate and key in one text.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("cert", &self.cert.is_some())
            .field("key", &self.key)
            .field("server_name", &self.server_name)
            .finish()
    }
}
