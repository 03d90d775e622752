use super::*;

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

fn resolve(pairs: &[(&str, &str)]) -> Result<Resolved> {
    Settings::resolve(Options::default(), &env(pairs))
}

#[track_caller]
fn refused(pairs: &[(&str, &str)], words: &str) {
    let message = resolve(pairs).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains(words), "{message}");
}

#[test]
fn nothing_configured_is_the_embedded_engine_except_in_production() {
    let resolved = resolve(&[]).unwrap();
    assert!(resolved.by_default);
    assert_eq!(resolved.settings.server, Server::Memory(String::new()));
    let resolved = resolve(&[("NODE_ENV", "production")]).unwrap();
    assert!(!resolved.by_default);
    assert_eq!(resolved.settings.server, Server::Tcp { host: "localhost".into(), port: 6379 });
}

#[test]
fn a_url_says_everything() {
    let settings = resolve(&[("REDIS_URL", "rediss://ann:p%40ss@db.example:7000/3")]).unwrap().settings;
    assert_eq!(settings.server, Server::Tcp { host: "db.example".into(), port: 7000 });
    let password = Some(Secret::new("p@ss"));
    assert_eq!(settings.credentials, Credentials::Fixed { username: Some("ann".into()), password });
    assert_eq!(settings.tls, Some(Tls::default()));
    assert_eq!(settings.database, 3);
}

#[test]
fn the_order_is_code_then_url_then_public_url_then_parts() {
    let all = [("REDIS_URL", "redis://a"), ("REDIS_PUBLIC_URL", "redis://b"), ("REDIS_HOST", "c")];
    let host = |settings: Settings| match settings.server {
        Server::Tcp { host, .. } => host,
        other => format!("{other:?}"),
    };
    assert_eq!(host(resolve(&all).unwrap().settings), "a");
    assert_eq!(host(resolve(&all[1..]).unwrap().settings), "b");
    assert_eq!(host(resolve(&all[2..]).unwrap().settings), "c");
    let options = Options { url: Some("redis://code".into()), ..Options::default() };
    assert_eq!(host(Settings::resolve(options, &env(&all)).unwrap().settings), "code");
}

#[test]
fn the_password_of_the_environment_fills_a_url_without_one() {
    let pairs = [("REDIS_URL", "redis://a"), ("REDIS_PASSWORD", "hush")];
    let settings = resolve(&pairs).unwrap().settings;
    assert_eq!(settings.credentials, Credentials::Fixed { username: None, password: Some(Secret::new("hush")) });
    assert!(!format!("{settings:?}").contains("hush"));
}

#[test]
fn a_bad_value_names_its_variable() {
    refused(&[("REDIS_PORT", "abc")], "REDIS_PORT");
    refused(&[("REDIS_TIMEOUT", "0")], "REDIS_TIMEOUT");
    refused(&[("REDIS_TIMEOUT", "NaN")], "REDIS_TIMEOUT");
    refused(&[("REDIS_POOL_SIZE", "0")], "REDIS_POOL_SIZE");
    refused(&[("REDIS_RETRY_ATTEMPTS", "-1")], "REDIS_RETRY_ATTEMPTS");
    refused(&[("REDIS_TLS", "maybe")], "REDIS_TLS");
    refused(&[("REDIS_URL", "http://x")], "REDIS_URL");
    refused(&[("REDIS_URL", "redis://x/abc")], "REDIS_URL");
}

#[test]
fn no_error_shows_a_password() {
    for url in ["http://u:hunter2@x", "redis://u:hunter2@x/abc", "u:hunter2@x", "redis-cluster://u:hunter2@x/1"] {
        let message = resolve(&[("REDIS_URL", url)]).map(|_| ()).unwrap_err().to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
