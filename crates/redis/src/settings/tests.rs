use super::*;

mod bounds;
mod certificates;
mod secrets;
mod urls;

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

fn resolve(pairs: &[(&str, &str)]) -> Result<Resolved> {
    Settings::resolve(Options::default(), &env(pairs))
}

fn given(options: Options) -> Result<Settings> {
    Settings::resolve(options, &env(&[])).map(|resolved| resolved.settings)
}

fn at(url: &str) -> Result<Settings> {
    given(Options { url: Some(url.into()), ..Options::default() })
}

/// Asserts that it is one error about settings with these words in it.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind.code(), "E_INVALID_SETTINGS");
    assert!(error.message().contains(words), "{error}");
}

fn fixed(username: Option<&str>, password: Option<&str>) -> Credentials {
    Credentials::Fixed { username: username.map(Into::into), password: password.map(Secret::new) }
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
fn the_environment_fills_what_a_url_leaves_out() {
    let vars = [("REDIS_PASSWORD", "hush"), ("REDIS_USERNAME", "ann")];
    let of = |url: &str| {
        let options = Options { url: Some(url.into()), ..Options::default() };
        Settings::resolve(options, &env(&vars)).unwrap().settings.credentials
    };
    assert_eq!(of("redis://a"), fixed(Some("ann"), Some("hush")));
    assert_eq!(of("redis://:own@a"), fixed(Some("ann"), Some("own")));
    assert_eq!(of("redis://bob@a"), fixed(Some("bob"), Some("hush")));
    assert_eq!(of("redis://bob:@a"), fixed(Some("bob"), Some("hush")));
    assert_eq!(of("redis-cluster://bob:own@a,b"), fixed(Some("bob"), Some("own")));
}

#[test]
fn options_win_over_the_url_and_over_the_environment() {
    let options = Options {
        url: Some("redis://ann:old@a/3".into()),
        username: Some("bob".into()),
        password: Some(Secret::new("new")),
        database: Some(5),
        pool_size: Some(2),
        timeout: Some(Duration::from_secs(1)),
        retry_attempts: Some(0),
        ..Options::default()
    };
    let vars = [("REDIS_POOL_SIZE", "7"), ("REDIS_TIMEOUT", "9"), ("REDIS_RETRY_ATTEMPTS", "9")];
    let settings = Settings::resolve(options, &env(&vars)).unwrap().settings;
    assert_eq!(settings.credentials, fixed(Some("bob"), Some("new")));
    assert_eq!((settings.database, settings.pool_size, settings.retry_attempts), (5, 2, 0));
    assert_eq!(settings.timeout, Duration::from_secs(1));
    let settings = resolve(&[&vars[..], &[("REDIS_HOST", "a")]].concat()).unwrap().settings;
    assert_eq!((settings.pool_size, settings.retry_attempts, settings.timeout), (7, 9, Duration::from_secs(9)));
}

#[test]
fn a_bad_value_names_its_variable_where_it_counts() {
    for (name, value) in [
        ("REDIS_PORT", "abc"),
        ("REDIS_PORT", "0"),
        ("REDIS_PORT", "tcp://10.0.0.1"),
        ("REDIS_HOST", "localhost:6379"),
        ("REDIS_HOST", "redis://localhost"),
        ("REDIS_TIMEOUT", "0"),
        ("REDIS_TIMEOUT", "NaN"),
        ("REDIS_TIMEOUT", "1e300"),
        ("REDIS_POOL_SIZE", "0"),
        ("REDIS_POOL_SIZE", "1001"),
        ("REDIS_RETRY_ATTEMPTS", "-1"),
        ("REDIS_RETRY_ATTEMPTS", "101"),
        ("REDIS_TLS", "maybe"),
        ("REDIS_URL", "http://x"),
        ("REDIS_URL", "redis://x/abc"),
    ] {
        refused(resolve(&[(name, value), ("NODE_ENV", "production")]), name);
        let beside = resolve(&[(name, value), ("REDIS_URL", "redis://x")]);
        match name {
            "REDIS_URL" => {}
            "REDIS_PORT" | "REDIS_HOST" => assert!(beside.is_ok(), "{name} is not used"),
            _ => refused(beside, name),
        }
        let options =
            Options { url: Some("memory:".into()), timeout: Some(Duration::from_secs(1)), ..Options::default() };
        assert!(Settings::resolve(options, &env(&[(name, value)])).is_ok(), "{name} is not used");
    }
}

#[test]
fn variables_of_kubernetes_services_are_understood() {
    let linked = ("REDIS_PORT", "tcp://10.96.0.12:6380");
    let server = |vars: &[(&str, &str)]| resolve(vars).unwrap().settings.server;
    let tcp = |host: &str, port| Server::Tcp { host: host.into(), port };
    assert_eq!(server(&[linked, ("REDIS_HOST", "redis")]), tcp("redis", 6380));
    assert_eq!(server(&[linked, ("NODE_ENV", "production")]), tcp("10.96.0.12", 6380));
    assert_eq!(server(&[linked]), Server::Memory(String::new()), "no server was requested");
    assert_eq!(server(&[linked, ("REDIS_URL", "redis://a")]), tcp("a", 6379));
    assert_eq!(resolve(&[linked, ("REDIS_HOST", "redis")]).unwrap().hints.len(), 1);
    assert!(resolve(&[linked, ("REDIS_URL", "redis://a")]).unwrap().hints.is_empty());
    let options = Options { host: Some("b".into()), port: Some(1), ..Options::default() };
    let resolved = Settings::resolve(options, &env(&[linked])).unwrap();
    assert_eq!((resolved.settings.server, resolved.hints.len()), (tcp("b", 1), 0));
}

#[test]
fn surrounding_quotes_are_removed() {
    for quoted in ["\"redis://a:1\"", "'redis://a:1'", " \"redis://a:1\" "] {
        let server = Server::Tcp { host: "a".into(), port: 1 };
        assert_eq!(resolve(&[("REDIS_URL", quoted)]).unwrap().settings.server, server);
        assert_eq!(at(quoted).unwrap().server, server);
    }
    assert_eq!(resolve(&[("REDIS_HOST", "\"a\""), ("REDIS_TIMEOUT", "'2'")]).unwrap().settings.timeout.as_secs(), 2);
    let password = resolve(&[("REDIS_HOST", "a"), ("REDIS_PASSWORD", "\"quoted\"")]).unwrap().settings.credentials;
    assert_eq!(password, fixed(None, Some("\"quoted\"")));
}

#[test]
fn seconds_that_must_be_milliseconds_are_refused_with_a_hint() {
    refused(
        resolve(&[("REDIS_TIMEOUT", "5000")]),
        "is in seconds, and 5000 would be 83 minutes; if you mean milliseconds, set it to 5",
    );
    assert_eq!(resolve(&[("REDIS_TIMEOUT", "600")]).unwrap().settings.timeout.as_secs(), 600);
}

#[test]
fn an_empty_password_is_none() {
    let of = |password: &str| given(Options { password: Some(Secret::new(password)), ..Options::default() });
    assert_eq!(of("").unwrap().credentials, fixed(None, None));
    let vars = [("REDIS_URL", "redis://a"), ("REDIS_PASSWORD", "from the environment")];
    let options = Options { password: Some(Secret::new("")), ..Options::default() };
    assert_eq!(Settings::resolve(options, &env(&vars)).unwrap().settings.credentials, fixed(None, None));
}

#[test]
fn unsupported_parameters_are_ignored_and_reported() {
    let hints = |url: &str| resolve(&[("REDIS_URL", url)]).unwrap().hints;
    let reported = hints("redis://a/2?family=0&ssl=true&se%20cret=hush");
    assert_eq!(reported.len(), 1);
    assert!(reported[0].1.contains(": family, ssl, …;") && !reported[0].1.contains("hush"), "{}", reported[0].1);
    assert_eq!(hints("redis-cluster://a,b?family=6").len(), 1);
    assert_eq!(hints("redis-sentinel://a?name=main&family=6").len(), 1);
    assert!(hints("redis-sentinel://a?name=main").is_empty() && hints("redis://a?db=2").is_empty());
}
