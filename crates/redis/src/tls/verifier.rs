//! Verifies the server's certificate: by its chain, by equality with a certificate in `tls.ca`, by `tls.fingerprint`, or not at
//! all if verification is off. Errors say what to do.

use std::{error::Error as StdError, fmt, sync::Arc};

use ring::digest::{SHA256, digest};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::der;
use crate::settings::Tls;

/// The certificate verifier.
#[derive(Debug)]
pub struct Verifier {
    /// Verifies the chain; `None` without trusted roots.
    chains: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates in `tls.ca`.
    own: Vec<CertificateDer<'static>>,
    fingerprints: Vec<[u8; 32]>,
    unverified: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a certificate was rejected, and what to do.
#[derive(Debug)]
pub struct Words(pub String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Words {}

impl Verifier {
    pub fn new(
        tls: &Tls,
        provider: &Arc<CryptoProvider>,
        roots: Arc<RootCertStore>,
        own: Vec<CertificateDer<'static>>,
    ) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let chains = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().ok();
        Self { chains, own, fingerprints: tls.fingerprints.clone(), unverified: tls.unverified, algorithms }
    }

    fn refuse(&self, end: &CertificateDer<'_>, error: CertificateError) -> Error {
        let (why, way) = if let Some(known) = plain(&error) {
            known
        } else if der::is_old(end) {
            ("is of version 1, which is no longer accepted", "replace it by one of version 3")
        } else if matches!(error, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
            if der::has_names(end) {
                (
                    "is for another host name",
                    "if this is the right server, set tls.servername to a name in the certificate",
                )
            } else {
                ("has only a common name, which is no longer checked", "replace it by one with a subjectAltName")
            }
        } else if is_authority(&error) {
            (
                "is a CA certificate rather than a server certificate, as self-signed ones often are",
                "set tls.ca to this very certificate",
            )
        } else {
            return words(format!("the server's certificate was rejected: {error}; {}", self.pin(end)));
        };
        words(format!("the server's certificate {why}; {way}, or {}", self.pin(end)))
    }

    fn pin(&self, end: &CertificateDer<'_>) -> String {
        format!("pin it with tls.fingerprint: \"{}\" if this is the right server", shown(&fingerprint(end)))
    }

    /// Verifies a signature with the key of a version 1 certificate, which rustls cannot parse.
    fn verify_by_key(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = || Error::InvalidCertificate(CertificateError::BadSignature);
        let key = der::key(end).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let of_scheme = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let mut all = of_scheme.flat_map(|(_, all)| all.iter());
        let fits = all.any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == key.algorithm
                && algorithm.verify_signature(key.bits, message, signed.signature()).is_ok()
        });
        if fits { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad()) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.fingerprints.is_empty() {
            let own = fingerprint(end);
            if self.fingerprints.contains(&own) {
                return Ok(ServerCertVerified::assertion());
            }
            let message = format!(
                "the server's certificate does not match tls.fingerprint; its fingerprint is \"{}\"",
                shown(&own)
            );
            return Err(words(message));
        }
        if self.unverified {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = match &self.chains {
            Some(chains) => chains.verify_server_cert(end, others, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        match verified {
            // Its validity period was checked before this error, and its name is checked here.
            Err(Error::InvalidCertificate(error)) if is_authority(&error) && self.own.iter().any(|own| own == end) => {
                let named = ParsedCertificate::try_from(end).and_then(|parsed| verify_server_name(&parsed, name));
                match named {
                    Ok(()) => Ok(ServerCertVerified::assertion()),
                    Err(Error::InvalidCertificate(error)) => Err(self.refuse(end, error)),
                    Err(error) => Err(error),
                }
            }
            Err(Error::InvalidCertificate(error)) => Err(self.refuse(end, error)),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if der::is_old(end) {
            return self.verify_by_key(message, end, signed);
        }
        verify_tls12_signature(message, end, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        use SignatureScheme::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
        let former = matches!(signed.scheme, RSA_PKCS1_SHA256 | RSA_PKCS1_SHA384 | RSA_PKCS1_SHA512);
        if der::is_old(end) && !former {
            return self.verify_by_key(message, end, signed);
        }
        verify_tls13_signature(message, end, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Explanations of the most common problems, and what to do.
fn plain(error: &CertificateError) -> Option<(&'static str, &'static str)> {
    Some(match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("has expired", "renew it on the server")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet", "check the clock of this machine")
        }
        CertificateError::UnknownIssuer => ("is not signed by a trusted CA", "set tls.ca to the CA that signed it"),
        CertificateError::Revoked => ("was revoked", "replace it"),
        _ => return None,
    })
}

fn is_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(OtherError(why)) if format!("{why:?}").contains("CaUsedAsEndEntity"))
}

fn words(text: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Words(text)))))
}

fn fingerprint(end: &CertificateDer<'_>) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, end).as_ref());
    bytes
}

/// In the format of openssl.
fn shown(fingerprint: &[u8; 32]) -> String {
    fingerprint.map(|byte| format!("{byte:02X}")).join(":")
}
