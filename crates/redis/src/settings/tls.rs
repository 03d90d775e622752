//! The TLS settings, with their certificates and keys validated.

use std::fmt;

use cinnabar_port::error::{Error, Result};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};

use super::Secret;

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

    /// Rejects settings that cannot establish a connection.
    ///
    /// # Errors
    /// `E_INVALID_SETTINGS` names the option.
    pub fn check(&self) -> Result<()> {
        for (name, pem) in [("tls.ca", &self.ca), ("tls.cert", &self.cert)] {
            let Some(pem) = pem else { continue };
            let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
            let whole = |found: &Result<CertificateDer, _>| found.as_ref().is_ok_and(|found| is_whole(found));
            if found.is_empty() || !found.iter().all(whole) {
                return Err(unreadable(name, "a certificate"));
            }
        }
        if let Some(key) = &self.key {
            if key.reveal().contains("ENCRYPTED") {
                return Err(Error::settings("tls.key has a passphrase; give the key without one"));
            }
            // The parser's message might quote the text.
            let found = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
            if !found.is_ok_and(|key| is_whole(key.secret_der())) {
                return Err(unreadable("tls.key", "a private key"));
            }
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

/// Whether this is one sequence from its first byte to its last, as every certificate and every key is.
fn is_whole(der: &[u8]) -> bool {
    let (length, rest) = match der {
        [0x30, short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x30, 0x81, a, rest @ ..] => (usize::from(*a), rest),
        [0x30, 0x82, a, b, rest @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        _ => return false,
    };
    length == rest.len()
}

fn unreadable(name: &str, what: &str) -> Error {
    Error::settings(format!(
        "{name} must be {what} as PEM text (-----BEGIN …), not the path of a file; it has none that can be read"
    ))
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
