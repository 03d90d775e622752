//! No printed text contains a part of the password, whatever is wrong and wherever the password is.

use proptest::prelude::*;

use super::*;

/// A part of every password, between characters that delimit the parts of a URL.
const TOKEN: &str = "zq7k";

/// Passwords such as `zq7k@zq7k/`, as they are typed: without percent-encoding.
fn passwords(between: &'static str) -> impl Strategy<Value = String> {
    let sign = prop::sample::select(between.chars().collect::<Vec<_>>());
    let part = prop_oneof![Just(TOKEN.to_owned()), sign.prop_map(String::from)];
    (prop::collection::vec(part.clone(), 0..6), prop::collection::vec(part, 0..6))
        .prop_map(|(before, after)| format!("{}{TOKEN}{}", before.concat(), after.concat()))
}

/// Characters that delimit the parts of a URL are more frequent.
const SIGNS: &str = "@@@@:::///??##,,@:/?#%[],=& é\u{0}\n\\\"'-._";

/// All that these settings print: the error, or themselves.
fn printed(result: Result<Settings>) -> String {
    match result {
        Ok(settings) => format!("{settings:?} {}", settings.server),
        Err(error) => format!("{error} {error:?}"),
    }
}

fn assert_hidden(text: &str) -> Result<(), TestCaseError> {
    prop_assert!(!text.contains(TOKEN), "{text}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_url_shows_its_password(
        password in passwords(SIGNS),
        form in prop::sample::select(vec![
            "redis://ann:{}@a:1/2", "redis://:{}@a", "rediss://ann:{}@a/x", "redis://ann:{}@", "redis://ann:{}@a:x/2",
            "redis://ann:{}@a b", "http://ann:{}@a", "ann:{}@a", "redis:ann:{}@a", "redis//:{}@a", "redis://ann:{}@a?b=c",
            "redis://ann:{}@a#b", "redis-cluster://ann:{}@a:1,b:2", "redis-cluster://:{}@a,,b/1",
            "redis-sentinel://ann:{}@a,b/main/2", "redis-sentinel://ann:{}@a,b/main/x", "rediss-sentinel://:{}@a?nome=b",
            "unix://ann:{}@/run/a.sock", "unix:ann:{}@/run/a.sock?db=2", "redis://ann:{}@a,redis://ann:{}@b",
        ]),
        from in prop::sample::select(vec!["url", "host", "REDIS_URL", "REDIS_PUBLIC_URL", "REDIS_HOST", "REDIS_PORT",
            "REDIS_TIMEOUT", "REDIS_TLS", "REDIS_POOL_SIZE"]),
    ) {
        let text = form.replace("{}", &password);
        let options = match from {
            "url" => Options { url: Some(text.clone()), ..Options::default() },
            "host" => Options { host: Some(text.clone()), ..Options::default() },
            _ => Options::default(),
        };
        let resolved = Settings::resolve(options, &env(&[(from, &text)])).map(|resolved| resolved.settings);
        assert_hidden(&printed(resolved))?;
    }

    /// Without a host, a URL has no `@` that marks the password.
    #[test]
    fn no_url_without_a_host_shows_its_password(
        password in passwords("/?#%[]=& é\u{0}\\-._"),
        form in prop::sample::select(vec![
            "redis://ann:{}", "redis://:{}", "rediss-sentinel://ann:{}", "redis-cluster://:{}", "redis:{}", "redis://a?password={}",
        ]),
    ) {
        let text = form.replace("{}", &password);
        // Two slashes of its own make it a host, which may be shown.
        prop_assume!(form != "redis:{}" || !password.starts_with("//"));
        assert_hidden(&printed(at(&text)))?;
    }

    #[test]
    fn no_option_shows_its_secret(password in passwords(SIGNS), bad in 0..4_usize) {
        let secret = || Some(Secret::new(password.clone()));
        let tls = Tls { key: secret(), cert: Some(password.clone()), ca: Some(password.clone()), ..Tls::default() };
        let sentinel = SentinelOptions { username: None, password: secret() };
        let url = ["redis-sentinel://a", "redis://a", "redis-sentinel://a/x/y", "memory:"][bad];
        let plain = || Options { url: Some(url.into()), password: secret(), ..Options::default() };
        assert_hidden(&format!("{tls:?} {sentinel:?}"))?;
        assert_hidden(&printed(given(Options { sentinel: Some(sentinel), ..plain() })))?;
        assert_hidden(&printed(given(Options { tls: Some(TlsOptions::On(tls)), ..plain() })))?;
        assert_hidden(&printed(given(Options { timeout: Some(Duration::ZERO), connect_wait: Some(Duration::MAX), ..plain() })))?;
    }

    /// An encoded password is understood, whatever it contains.
    #[test]
    fn every_password_can_be_written(password in "\\PC{1,20}") {
        let encoded = percent_encoding::utf8_percent_encode(&password, percent_encoding::NON_ALPHANUMERIC);
        for form in ["redis://ann:{}@a", "redis-cluster://ann:{}@a,b", "redis-sentinel://ann:{}@a,b/main"] {
            let settings = at(&form.replace("{}", &encoded.to_string())).unwrap();
            prop_assert_eq!(settings.credentials, fixed(Some("ann"), Some(&password)));
        }
    }
}
