//! Which certificates and keys are accepted. They are made for the run, by the program openssl.

use std::{process::Command, sync::LazyLock};

use super::*;

/// The PEM texts of a certificate and its key.
struct Pair {
    certificate: String,
    key: String,
}

static PAIR: LazyLock<Pair> = LazyLock::new(|| pair("ec"));

/// A self-signed certificate with a key of this algorithm.
fn pair(algorithm: &str) -> Pair {
    let strength = if algorithm == "ec" { "ec_paramgen_curve:prime256v1" } else { "rsa_keygen_bits:2048" };
    let text = openssl(&["req", "-x509", "-newkey", algorithm, "-pkeyopt", strength, "-keyout", "-", "-subj", "/CN=a"]);
    let (key, certificate) = text.split_at(text.find("-----BEGIN CERTIFICATE").unwrap());
    Pair { certificate: certificate.into(), key: key.into() }
}

/// What openssl prints with these arguments; the key has no passphrase, and the certificate is valid for two days.
fn openssl(args: &[&str]) -> String {
    let output =
        Command::new("openssl").args(args).args(["-nodes", "-days", "2"]).output().expect("openssl: npm run setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn with_tls(tls: Tls) -> Result<Settings> {
    given(Options { host: Some("a".into()), tls: Some(TlsOptions::On(tls)), ..Options::default() })
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

fn complete() -> Tls {
    Tls {
        ca: Some(PAIR.certificate.repeat(2)),
        cert: text(&PAIR.certificate),
        key: secret(&PAIR.key),
        server_name: text("db.example"),
        ..Tls::default()
    }
}

/// The same PEM text without the second line of its content, so that the content is shorter than it says.
fn cut(pem: &str) -> String {
    let lines = pem.lines().enumerate().filter(|(at, _)| *at != 2);
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn what_openssl_makes_is_accepted() {
    let settings = with_tls(complete()).unwrap();
    assert_eq!(settings.tls.as_ref().unwrap().options, complete());
    assert_eq!(settings, with_tls(complete()).unwrap());
    assert_ne!(settings, with_tls(Tls { server_name: None, ..complete() }).unwrap());
    let Pair { certificate, key } = pair("rsa");
    // In one text, as some tools write it, and the older format of a key.
    let both = format!("{key}{certificate}");
    with_tls(Tls { cert: text(&both), key: secret(&both), ..complete() }).unwrap();
}

#[test]
fn what_is_no_certificate_is_rejected() {
    let whole = &PAIR.certificate;
    for bad in ["", "/etc/ca.pem", &PAIR.key, &whole[..40], &whole.replace("MII", "!!!")] {
        refused(with_tls(Tls { ca: text(bad), ..complete() }), "tls.ca must be a certificate");
        refused(with_tls(Tls { cert: text(bad), ..complete() }), "tls.cert must be a certificate");
    }
    for bad in [cut(whole), format!("{whole}{}", cut(whole)), PAIR.key.replace("PRIVATE KEY", "CERTIFICATE")] {
        refused(with_tls(Tls { ca: text(&bad), ..complete() }), "tls.ca cannot be used: invalid certificate");
        refused(with_tls(Tls { cert: text(&bad), ..complete() }), "tls.cert cannot be used: invalid certificate");
    }
}

#[test]
fn what_is_no_key_or_that_of_another_certificate_is_rejected() {
    let key = |key: &str| with_tls(Tls { key: secret(key), ..complete() });
    for bad in ["", "/etc/key.pem", &PAIR.certificate, &PAIR.key[..40]] {
        refused(key(bad), "tls.key must be a private key");
    }
    for bad in [cut(&PAIR.key), PAIR.certificate.replace("CERTIFICATE", "PRIVATE KEY")] {
        refused(key(&bad), "tls.key cannot be used: failed to parse private key");
    }
    refused(key(&PAIR.key.replace("PRIVATE", "ENCRYPTED PRIVATE")), "passphrase");
    for other in [pair("ec"), pair("rsa")] {
        refused(key(&other.key), "tls.key does not belong to tls.cert");
    }
    refused(with_tls(Tls { key: None, ..complete() }), "tls.cert needs tls.key");
    refused(with_tls(Tls { cert: None, ..complete() }), "tls.key needs tls.cert");
}

#[test]
fn errors_do_not_quote_what_they_are_about() {
    let other = pair("ec");
    for bad in [cut(&PAIR.key), other.key, PAIR.key.replace("-----END", "----END")] {
        let error = with_tls(Tls { key: secret(&bad), ..complete() }).unwrap_err();
        for line in bad.lines().filter(|line| !line.starts_with("--")) {
            assert!(!format!("{error} {error:?}").contains(line), "{error:?}");
        }
    }
}

#[test]
fn the_server_name_is_a_name_or_an_address() {
    for bad in ["", "db.example:6380", "a b", "redis://a"] {
        refused(with_tls(Tls { server_name: text(bad), ..complete() }), "tls.servername");
    }
    with_tls(Tls { server_name: text("::1"), ..complete() }).unwrap();
}
