//! Whether a server's certificate is accepted: by who signed it, as everywhere; because it is itself what was given as `tls.ca`;
//! because its fingerprint was; or because nobody wants it looked at. Where it is not, in words that say what to do.

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

/// How certificates are judged.
#[derive(Debug)]
pub struct Judge {
    /// By who signed it; nothing where there is nobody to trust.
    chains: Option<Arc<WebPkiServerVerifier>>,
    /// What was given as `tls.ca`.
    own: Vec<CertificateDer<'static>>,
    fingerprints: Vec<[u8; 32]>,
    unverified: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a certificate is not accepted, and what to do.
#[derive(Debug)]
pub struct Words(pub String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Words {}

impl Judge {
    pub fn new(
        tls: &Tls,
        provider: &Arc<CryptoProvider>,
        roots: RootCertStore,
        own: Vec<CertificateDer<'static>>,
    ) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok();
        Self { chains, own, fingerprints: tls.fingerprints.clone(), unverified: tls.unverified, algorithms }
    }

    fn refuse(&self, end: &CertificateDer<'_>, error: CertificateError) -> Error {
        let (why, way) = if let Some(known) = plain(&error) {
            known
        } else if der::is_old(end) {
            ("is of version 1, which is not accepted any more", "have one of version 3 made")
        } else if matches!(error, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
            if der::has_names(end) {
                ("is for another name", "if that is the right server, give its name as tls.servername")
            } else {
                (
                    "names its server in its common name alone, which is not looked at any more",
                    "have one with a subjectAltName made",
                )
            }
        } else if is_authority(&error) {
            (
                "is that of an authority and of no server, as a self-signed one often is",
                "give that very certificate as tls.ca",
            )
        } else {
            return words(format!("the server's certificate is not accepted: {error}; {}", self.pin(end)));
        };
        words(format!("the server's certificate {why}; {way}, or {}", self.pin(end)))
    }

    fn pin(&self, end: &CertificateDer<'_>) -> String {
        format!("accept it alone by tls.fingerprint: \"{}\", if that is the right server's", shown(&fingerprint(end)))
    }

    /// A signature by the key of a certificate that is too old for the usual way.
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

impl ServerCertVerifier for Judge {
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
                "the server's certificate is not the one of tls.fingerprint; its fingerprint is \"{}\"",
                shown(&own)
            );
            return Err(words(message));
        }
        if self.unverified {
            return Ok(ServerCertVerified::assertion());
        }
        let judged = match &self.chains {
            Some(chains) => chains.verify_server_cert(end, others, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        match judged {
            // Its dates have been looked at before that, and who it is for is looked at here.
            Err(Error::InvalidCertificate(error)) if is_authority(&error) && self.own.iter().any(|own| own == end) => {
                let named = ParsedCertificate::try_from(end).and_then(|parsed| verify_server_name(&parsed, name));
                match named {
                    Ok(()) => Ok(ServerCertVerified::assertion()),
                    Err(Error::InvalidCertificate(error)) => Err(self.refuse(end, error)),
                    Err(error) => Err(error),
                }
            }
            Err(Error::InvalidCertificate(error)) => Err(self.refuse(end, error)),
            judged => judged,
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

/// What is wrong with a certificate in words, and what to do, for what happens most.
fn plain(error: &CertificateError) -> Option<(&'static str, &'static str)> {
    Some(match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("has expired", "have it renewed where the server is")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet", "look whether the clock of this machine is right")
        }
        CertificateError::UnknownIssuer => {
            ("is signed by nobody whom this machine trusts", "give the CA that signed it as tls.ca")
        }
        CertificateError::Revoked => ("was revoked", "have another one made"),
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

/// As openssl shows it.
fn shown(fingerprint: &[u8; 32]) -> String {
    fingerprint.map(|byte| format!("{byte:02X}")).join(":")
}
