//! The TLS settings, with their certificates and keys validated.

mod certificates;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use cinnabar_port::error::{Error, Result};
use rustls::{pki_types::ServerName, sign::CertifiedKey};

use super::Secret;

pub use certificates::Certificates;

/// How a connection is encrypted, as given in the options.
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
    /// SHA-256 fingerprints of the only accepted certificates, whatever their issuer; empty for normal verification.
    pub fingerprints: Vec<[u8; 32]>,
    /// Whether the server's certificate is not verified: `rejectUnauthorized: false`.
    pub unverified: bool,
}

/// The `tls` option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsOptions {
    /// `tls: false`.
    Off,
    /// `tls: true` or `tls: { … }`.
    On(Tls),
}

impl Tls {
    /// Parses a fingerprint in the format of openssl: 64 hexadecimal digits, with or without colons.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` for anything else.
    pub fn fingerprint(text: &str) -> Result<[u8; 32]> {
        let digits = text.trim();
        let digits = digits.strip_prefix("sha256 Fingerprint=").unwrap_or(digits).replace(':', "");
        let mut bytes = [0; 32];
        let read = |at: usize| digits.get(2 * at..2 * at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let plain = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = read(at).filter(|_| plain).ok_or_else(|| {
                Error::settings(
                    "tls.fingerprint must be the SHA-256 fingerprint of a certificate, 64 hexadecimal digits with or \
                     without colons, as openssl x509 -noout -fingerprint -sha256 shows it",
                )
            })?;
        }
        Ok(bytes)
    }
}

/// Shows only which fields are set: a certificate and its key may be in one text.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("cert", &self.cert.is_some())
            .field("key", &self.key)
            .field("server_name", &self.server_name)
            .field("fingerprints", &self.fingerprints.len())
            .field("unverified", &self.unverified)
            .finish()
    }
}

/// How a connection is encrypted, with the certificates and the key read from the options. Equal if the options are.
#[derive(Clone, Default)]
pub struct TlsSettings {
    /// The options.
    pub options: Tls,
    authorities: Option<Arc<Certificates>>,
    identity: Option<Arc<CertifiedKey>>,
}

impl TlsSettings {
    /// Reads the certificates and the key.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option that cannot be used.
    pub fn resolve(options: Tls) -> Result<Self> {
        let authorities = options.ca.as_deref().map(|pem| certificates::certificates(pem, "tls.ca")).transpose()?;
        let certificate = options.cert.as_deref().map(|pem| certificates::certificates(pem, "tls.cert")).transpose()?;
        let key = options.key.as_ref().map(certificates::private_key).transpose()?;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(certificates::identity(certificate.chain, key)?),
            (Some(_), None) => {
                return Err(Error::settings("tls.cert needs tls.key, the private key that belongs to it"));
            }
            (None, Some(_)) => {
                return Err(Error::settings("tls.key needs tls.cert, the certificate that it belongs to"));
            }
            (None, None) => None,
        };
        if options.server_name.as_deref().is_some_and(|name| ServerName::try_from(name).is_err()) {
            return Err(Error::settings("tls.servername must be a host name or an address, without a port"));
        }
        Ok(Self { options, authorities: authorities.map(Arc::new), identity: identity.map(Arc::new) })
    }

    /// Returns the certificates of `tls.ca`; `None` if the system's are trusted.
    pub fn authorities(&self) -> Option<&Certificates> {
        self.authorities.as_deref()
    }

    /// Returns the client's certificate and its key.
    pub fn identity(&self) -> Option<Arc<CertifiedKey>> {
        self.identity.clone()
    }
}

impl PartialEq for TlsSettings {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

impl Eq for TlsSettings {}

impl Hash for TlsSettings {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.options.hash(state);
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}
