//! TLS according to the settings, and explanations of its errors. Uses rustls with ring rather than a system library.

mod der;
mod verifier;

use std::{io, sync::Arc};

use cinnabar_port::error::{Error, Kind, Result};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, OtherError, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio_rustls::TlsConnector;

use self::verifier::{Verifier, Words};

use crate::settings::Tls;

/// A TLS connector for these settings.
///
/// As in Node.js, a custom CA replaces the roots of the system. Without one, unreadable system certificates are ignored as long
/// as others can be read.
pub fn connector(tls: &Tls) -> Result<TlsConnector> {
    let (mut roots, mut own) = (RootCertStore::empty(), Vec::new());
    match &tls.ca {
        Some(pem) => {
            own = certificates(pem, "tls.ca")?;
            for certificate in own.iter().cloned() {
                roots.add(certificate).map_err(|error| unusable("tls.ca", error))?;
            }
        }
        // No CA is needed.
        None if tls.unverified || !tls.fingerprints.is_empty() => {}
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            // Not cached: the process may be out of file descriptors only for a moment.
            if let (true, Some(error)) = (roots.is_empty(), found.errors.first()) {
                let message = format!("the system's CA certificates cannot be read: {error}");
                return Err(Error::new(Kind::Unavailable, message));
            }
        }
    }
    let provider = Arc::new(ring::default_provider());
    let classify = Verifier::new(tls, &provider, roots, own);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("tls", error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(classify));
    let config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes()).map_err(|_| no_pem("tls.key"))?;
            let chain = certificates(cert, "tls.cert")?;
            config.with_client_auth_cert(chain, key).map_err(|error| unusable("tls.cert and tls.key", error))?
        }
        _ => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The name that the server's certificate must be valid for, also sent as SNI.
pub fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>> {
    let name = tls.server_name.as_deref().unwrap_or(host).to_owned();
    ServerName::try_from(name)
        .map_err(|_| Error::settings("the host is not a valid name for a certificate; set tls.servername"))
}

fn certificates(pem: &str, option: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    all.ok().filter(|all| !all.is_empty()).ok_or_else(|| no_pem(option))
}

fn no_pem(option: &str) -> Error {
    Error::settings(format!("{option} must be text in PEM format"))
}

fn unusable(option: &str, error: rustls::Error) -> Error {
    Error::settings(format!("{option} cannot be used: {error}")).with_source(error)
}

/// Explains an error of a TLS stream and what to do; `None` if it is not a TLS error.
pub fn explain(error: &io::Error) -> Option<String> {
    use rustls::Error as Tls;
    let tls = error.get_ref()?.downcast_ref::<Tls>()?;
    Some(match tls {
        Tls::InvalidCertificate(CertificateError::Other(OtherError(why))) if why.is::<Words>() => why.to_string(),
        Tls::InvalidCertificate(other) => format!("the server's certificate was rejected: {other}"),
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired,
        ) => format!("the server requires a client certificate that it trusts; set tls.cert and tls.key ({tls})"),
        Tls::InvalidMessage(_) => {
            "the server does not support TLS on this port; try redis:// instead of rediss://".into()
        }
        other => format!("TLS failed: {other}"),
    })
}
