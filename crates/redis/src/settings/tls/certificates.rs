//! Reads certificates and keys from PEM text. rustls decides whether they can be used.

use std::sync::Arc;

use cinnabar_port::error::{Error, Result};
use rustls::{
    Error as TlsError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use crate::settings::Secret;

/// The certificates of an option.
pub struct Certificates {
    /// As they were given, in order.
    pub chain: Vec<CertificateDer<'static>>,
    /// What rustls reads from them.
    pub roots: Arc<RootCertStore>,
}

/// Returns the certificates in this text; `option` is its name in errors.
pub fn certificates(pem: &str, option: &str) -> Result<Certificates> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<std::result::Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| unreadable(option, "a certificate"))?;
    let mut roots = RootCertStore::empty();
    for certificate in chain.iter().cloned() {
        roots.add(certificate).map_err(|error| unusable(option, error))?;
    }
    Ok(Certificates { chain, roots: Arc::new(roots) })
}

/// Returns the private key in this text.
pub fn private_key(pem: &Secret) -> Result<PrivateKeyDer<'static>> {
    if pem.reveal().contains("ENCRYPTED") {
        return Err(Error::settings("tls.key has a passphrase; give the key without one"));
    }
    // The error of the PEM reader might quote the text.
    PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).map_err(|_| unreadable("tls.key", "a private key"))
}

/// Returns a certificate and its chain with the private key that belongs to it.
pub fn identity(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey> {
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        TlsError::InconsistentKeys(_) => {
            Error::settings("tls.key does not belong to tls.cert, whose first certificate must be that of the key")
                .with_source(error)
        }
        TlsError::InvalidCertificate(_) => unusable("tls.cert", error),
        _ => unusable("tls.key", error),
    })
}

fn unreadable(option: &str, what: &str) -> Error {
    Error::settings(format!(
        "{option} must be {what} as PEM text (-----BEGIN …), not the path of a file; it has none that can be read"
    ))
}

/// The reason of rustls, which never quotes the text.
fn unusable(option: &str, error: TlsError) -> Error {
    let why = match &error {
        // rustls would call it the certificate of a peer.
        TlsError::InvalidCertificate(why) => format!("invalid certificate: {why}"),
        TlsError::General(why) => why.clone(),
        other => other.to_string(),
    };
    Error::settings(format!("{option} cannot be used: {why}")).with_source(error)
}
