//! Options that do not go together, bounds, and what has which default.

use super::*;

fn ms(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

fn with_breaker(change: impl FnOnce(&mut [Option<Duration>; 4], &mut [Option<f64>; 2])) -> Result<BreakerSettings> {
    let (mut times, mut rates) = ([None; 4], [None; 2]);
    change(&mut times, &mut rates);
    let [window, open_for, probe_timeout, slow_call] = times;
    let [error_rate, slow_rate] = rates;
    let on = BreakerOptions::On { error_rate, window, volume: None, open_for, probe_timeout, slow_call, slow_rate };
    given(Options { breaker: Some(on), ..Options::default() }).map(|settings| settings.breaker)
}

fn provider() -> Provider {
    Provider::new(|| Box::pin(async { Ok((None, Secret::new("hush"))) }))
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let settings = resolve(&[]).unwrap().settings;
    let expected = Settings {
        server: Server::Memory(String::new()),
        driver: Driver::Native,
        credentials: fixed(None, None),
        tls: None,
        database: 0,
        pool_size: 10,
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(10),
        connect_wait: Duration::from_secs(3),
        retry_attempts: 3,
        reconnect_first_wait: Duration::from_millis(50),
        reconnect_longest_wait: Duration::from_secs(2),
        max_queued_calls: 50_000,
        max_queued_bytes: 64 << 20,
        keepalive: Duration::from_secs(10),
        drain: Duration::from_secs(5),
        max_bytes: 256 << 20,
        breaker: BreakerSettings::default(),
    };
    assert_eq!(settings, expected);
}

#[test]
fn waits_follow_each_other() {
    let short = given(Options { timeout: ms(200), ..Options::default() }).unwrap();
    assert_eq!(Some(short.connect_wait), ms(200));
    assert_eq!(Some(short.breaker.probe_timeout), ms(200));
    let both = Options { timeout: ms(200), connect_wait: ms(201), ..Options::default() };
    refused(given(both), "connectWaitMs");
    let waits = |first, longest| {
        let options = Options { reconnect_first_wait: first, reconnect_longest_wait: longest, ..Options::default() };
        given(options).map(|settings| (Some(settings.reconnect_first_wait), Some(settings.reconnect_longest_wait)))
    };
    assert_eq!(waits(ms(3000), None).unwrap(), (ms(3000), ms(3000)));
    assert_eq!(waits(None, ms(10)).unwrap(), (ms(10), ms(10)));
    assert_eq!(waits(ms(5), ms(5)).unwrap(), (ms(5), ms(5)));
    refused(waits(ms(6), ms(5)), "reconnect.firstMs");
}

#[test]
fn a_breaker_has_rates_that_it_can_reach() {
    for rate in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        refused(with_breaker(|_, rates| rates[0] = Some(rate)), "breaker.errorRate");
        refused(with_breaker(|_, rates| rates[1] = Some(rate)), "breaker.slowRate");
    }
    assert_eq!(with_breaker(|_, rates| rates[0] = Some(1.0)).unwrap().error_rate, Rate::new("rate", 1.0).unwrap());
    refused(with_breaker(|times, _| times[0] = ms(99)), "breaker.windowMs");
    refused(with_breaker(|times, _| times[3] = ms(5000)), "breaker.slowCallMs");
    assert_eq!(with_breaker(|times, _| times[3] = ms(4999)).unwrap().slow_call, Duration::from_millis(4999));
    let off = given(Options { breaker: Some(BreakerOptions::Off), ..Options::default() }).unwrap();
    assert!(!off.breaker.enabled);
}

#[test]
fn tls_is_on_if_requested_anywhere_and_never_off_against_a_url() {
    let of = |url: &str, tls| given(Options { url: Some(url.into()), tls, ..Options::default() });
    let on = || Some(TlsOptions::On(Tls::default()));
    assert!(of("redis://a", on()).unwrap().tls.is_some());
    assert!(of("redis://a", Some(TlsOptions::Off)).unwrap().tls.is_none());
    refused(of("rediss://a", Some(TlsOptions::Off)), "tls is false, but the scheme of url");
    refused(of("unix:/a", on()), "a socket of this machine");
    assert!(resolve(&[("REDIS_HOST", "a"), ("REDIS_TLS", "true")]).unwrap().settings.tls.is_some());
    assert!(resolve(&[("REDIS_URL", "rediss://a"), ("REDIS_TLS", "false")]).unwrap().settings.tls.is_some());
    assert!(resolve(&[("REDIS_URL", "unix:/a"), ("REDIS_TLS", "true")]).unwrap().settings.tls.is_none());
}

#[test]
fn contradicting_options_are_rejected() {
    let url = || Some("redis://a".to_owned());
    let credentials = || Some(provider());
    refused(given(Options { url: url(), host: Some("a".into()), ..Options::default() }), "not both");
    refused(given(Options { url: url(), port: Some(1), ..Options::default() }), "not both");
    for host in ["a:1", "redis://a", "", "a b"] {
        refused(given(Options { host: Some(host.into()), ..Options::default() }), "host must be");
    }
    for options in [
        Options { password: Some(Secret::new("hush")), ..Options::default() },
        Options { username: Some("ann".into()), ..Options::default() },
        Options { url: Some("redis://:hush@a".into()), ..Options::default() },
    ] {
        refused(given(Options { credentials: credentials(), ..options }), "give credentials, a function");
    }
    let sentinel = || Some(SentinelOptions::default());
    for url in ["redis://a", "redis-cluster://a", "unix:/a", "memory:"] {
        let options = Options { url: Some(url.into()), sentinel: sentinel(), ..Options::default() };
        refused(given(options), "sentinel is for a url that begins with redis-sentinel://");
    }
    let cluster = Options { url: Some("redis-cluster://a".into()), database: Some(1), ..Options::default() };
    refused(given(cluster), "db is 1, but a cluster has only database 0");
}

#[test]
fn sentinels_have_credentials_of_their_own() {
    let options = Options {
        url: Some("redis-sentinel://ann:hush@a/main".into()),
        sentinel: Some(SentinelOptions { username: Some("bob".into()), password: Some(Secret::new("psst")) }),
        ..Options::default()
    };
    let settings = given(options).unwrap();
    assert_eq!(settings.credentials, fixed(Some("ann"), Some("hush")));
    let Server::Sentinel { username, password, .. } = settings.server else { panic!("{:?}", settings.server) };
    assert_eq!((username.as_deref(), password), (Some("bob"), Some(Secret::new("psst"))));
}

#[test]
fn a_function_wins_over_the_environment_and_is_like_no_other() {
    let of = |provider: &Provider| {
        let options = Options { credentials: Some(provider.clone()), ..Options::default() };
        Settings::resolve(options, &env(&[("REDIS_URL", "redis://ann:hush@a"), ("REDIS_PASSWORD", "hush")]))
    };
    let (one, other) = (provider(), provider());
    let settings = of(&one).unwrap().settings;
    assert_eq!(settings.credentials, Credentials::Provider(one.clone()));
    assert_eq!(settings, of(&one).unwrap().settings);
    assert_ne!(settings, of(&other).unwrap().settings);
}

#[test]
fn a_fingerprint_is_read_as_openssl_shows_it() {
    let colons = ["AB"; 32].join(":");
    for text in [&colons, &colons.replace(':', "").to_lowercase(), &format!("sha256 Fingerprint={colons}")] {
        assert_eq!(Tls::fingerprint(text).unwrap(), [0xab; 32]);
    }
    for text in ["", "AB:CD", &"+1".repeat(32), &"ä".repeat(32), &["AB"; 33].join(":")] {
        refused(Tls::fingerprint(text), "tls.fingerprint must be");
    }
}

#[test]
fn the_driver_is_native_unless_another_is_chosen() {
    let driver = |driver, env: &[(&str, &str)]| {
        Settings::resolve(Options { url: Some("redis://h".into()), driver, ..Options::default() }, &super::env(env))
            .map(|resolved| resolved.settings.driver)
    };
    assert_eq!(driver(None, &[]).unwrap(), Driver::Native);
    assert_eq!(driver(Some(Driver::Native), &[("REDIS_DRIVER", "fred")]).unwrap(), Driver::Native);
    assert!(driver(None, &[("REDIS_DRIVER", "ioredis")]).unwrap_err().message().contains("native or fred"));
    let fred = driver(None, &[("REDIS_DRIVER", "fred")]);
    assert_eq!(fred.is_ok(), cfg!(feature = "fred"));
    assert_eq!(driver(Some(Driver::Fred), &[]).is_ok(), fred.is_ok());
    // Nothing is connected to the embedded engine.
    assert_eq!(resolve(&[("REDIS_DRIVER", "fred")]).unwrap().settings.driver, Driver::Native);
}
