//! TLS according to the settings, and explanations of its errors. Uses rustls with ring rather than a system library.

mod der;
mod verifier;

use std::{io, sync::Arc};

use cinnabar_port::error::{Error, Kind, Result};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, OtherError, RootCertStore, crypto::ring, pki_types::ServerName,
    sign::SingleCertAndKey,
};
use tokio_rustls::TlsConnector;

use self::verifier::{Verifier, Words};

use crate::settings::TlsSettings;

/// A TLS connector for these settings.
///
/// As in Node.js, a custom CA replaces the roots of the system. Without one, unreadable system certificates are ignored as long
/// as others can be read.
pub fn connector(tls: &TlsSettings) -> Result<TlsConnector> {
    let (roots, own) = match tls.authorities() {
        Some(authorities) => (authorities.roots.clone(), authorities.chain.clone()),
        // No CA is needed.
        None if tls.options.unverified || !tls.options.fingerprints.is_empty() => {
            (Arc::new(RootCertStore::empty()), Vec::new())
        }
        None => (Arc::new(system_roots()?), Vec::new()),
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(&tls.options, &provider, roots, own);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Internal, format!("TLS cannot be used: {error}")).with_source(error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match tls.identity() {
        Some(identity) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        None => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    // Not cached: the process may be out of file descriptors only for a moment.
    if let (true, Some(error)) = (roots.is_empty(), found.errors.first()) {
        let message = format!("the system's CA certificates cannot be read: {error}");
        return Err(Error::new(Kind::Unavailable, message));
    }
    Ok(roots)
}

/// The name that the server's certificate must be valid for, also sent as SNI.
pub fn server_name(tls: &TlsSettings, host: &str) -> Result<ServerName<'static>> {
    let name = tls.options.server_name.as_deref().unwrap_or(host).to_owned();
    ServerName::try_from(name)
        .map_err(|_| Error::settings("the host is not a valid name for a certificate; set tls.servername"))
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
