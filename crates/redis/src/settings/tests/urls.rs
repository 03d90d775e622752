//! Every form of URL, and what is wrong with those that are none.

use super::*;

fn address(host: &str, port: u16) -> Address {
    Address { host: host.into(), port }
}

fn one(host: &str, port: u16) -> Server {
    Server::Tcp { host: host.into(), port }
}

fn cluster(nodes: &[(&str, u16)]) -> Server {
    Server::Cluster(nodes.iter().map(|(host, port)| address(host, *port)).collect())
}

fn sentinel(name: &str, addresses: &[(&str, u16)]) -> Server {
    let addresses = addresses.iter().map(|(host, port)| address(host, *port)).collect();
    Server::Sentinel { addresses, name: name.into(), username: None, password: None }
}

#[test]
fn a_url_names_the_server() {
    for (url, server, database) in [
        ("redis://db.example", one("db.example", 6379), 0),
        ("redis://db.example/", one("db.example", 6379), 0),
        ("REDIS://10.0.0.1:7000/3", one("10.0.0.1", 7000), 3),
        (" valkey://a_b-c:1/255\n", one("a_b-c", 1), 255),
        ("redis://[::1]", one("::1", 6379), 0),
        ("redis://[fe80::1%eth0]:7000/1", one("fe80::1%eth0", 7000), 1),
        ("unix:/run/redis.sock", Server::Unix("/run/redis.sock".into()), 0),
        ("unix:///run/a@b.sock", Server::Unix("/run/a@b.sock".into()), 0),
        ("unix:./redis.sock", Server::Unix("./redis.sock".into()), 0),
        ("memory:", Server::Memory(String::new()), 0),
        ("memory://name", Server::Memory("name".into()), 0),
        ("MEMORY:name?db=3&family=0", Server::Memory("name".into()), 0),
        ("Unix:/run/redis.sock", Server::Unix("/run/redis.sock".into()), 0),
        ("redis-cluster://a", cluster(&[("a", 6379)]), 0),
        ("redis-cluster://a:7000,b,[::1]:7002/0", cluster(&[("a", 7000), ("b", 6379), ("::1", 7002)]), 0),
        ("redis-sentinel://a", sentinel("mymaster", &[("a", 26_379)]), 0),
        ("redis-sentinel://a,b:1/", sentinel("mymaster", &[("a", 26_379), ("b", 1)]), 0),
        ("redis-sentinel://a/main", sentinel("main", &[("a", 26_379)]), 0),
        ("redis-sentinel://a/main/3", sentinel("main", &[("a", 26_379)]), 3),
        ("redis-sentinel://a/3", sentinel("mymaster", &[("a", 26_379)]), 3),
        ("redis-sentinel://a/7/3", sentinel("7", &[("a", 26_379)]), 3),
        ("redis-sentinel://a?name=main", sentinel("main", &[("a", 26_379)]), 0),
        ("redis-sentinel://a/3?name=7", sentinel("7", &[("a", 26_379)]), 3),
        ("redis-sentinel://a/ma%2Fin", sentinel("ma/in", &[("a", 26_379)]), 0),
    ] {
        let settings = at(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!((settings.server, settings.database), (server, database), "{url}");
        assert_eq!(settings.tls, None, "{url}");
    }
}

#[test]
fn a_url_names_the_user() {
    for (url, username, password) in [
        ("redis://a", None, None),
        ("redis://ann@a", Some("ann"), None),
        ("redis://:hush@a", None, Some("hush")),
        ("redis://ann:p%40ss%3A%2F@a:1/2", Some("ann"), Some("p@ss:/")),
        // Text before the last `@` is not a host.
        ("redis://ann:p@ss:w@a", Some("ann"), Some("p@ss:w")),
        ("redis://ann:100%@a", Some("ann"), Some("100%")),
        ("redis://ann:%C3%A9%E2%82%AC@a", Some("ann"), Some("é€")),
        ("redis-cluster://ann:a,b@a,b", Some("ann"), Some("a,b")),
        ("redis-sentinel://ann:hush@a,b/main", Some("ann"), Some("hush")),
    ] {
        assert_eq!(at(url).unwrap().credentials, fixed(username, password), "{url}");
    }
}

#[test]
fn a_second_s_asks_for_tls() {
    for url in ["rediss://a", "valkeys://a", "rediss-cluster://a,b", "rediss-sentinel://a,b/main"] {
        assert_eq!(at(url).unwrap().tls, Some(TlsSettings::default()), "{url}");
    }
}

#[test]
fn a_bad_url_is_one_error_that_says_what_to_do() {
    for (url, words) in [
        ("", "is not a URL"),
        ("localhost:6379", "is not a URL"),
        ("redis:/a", "is not a URL"),
        ("http://a", "must begin with redis://"),
        ("redis://", "names no host"),
        ("redis:///3", "names no host"),
        ("redis-cluster://a,,b", "comma too many"),
        ("redis-cluster://a,", "comma too many"),
        ("redis://a:", "no number from 1 to 65535"),
        ("redis://a:x", "no number from 1 to 65535"),
        ("redis://a:0", "no number from 1 to 65535"),
        ("redis://a:+1", "no number from 1 to 65535"),
        ("redis://a:65536", "no number from 1 to 65535"),
        ("redis-cluster://a:7000,b:7001:7002", "no number from 1 to 65535"),
        ("redis://::1", "names no host"),
        ("redis://fe80::1", "no number from 1 to 65535"),
        ("redis://[::1", "neither a name nor an address"),
        ("redis://[::1]7000", "neither a name nor an address"),
        ("redis://[a]", "neither a name nor an address"),
        ("redis://a b", "neither a name nor an address"),
        ("redis://bücher", "neither a name nor an address"),
        ("redis://a,b", "names several hosts; a cluster begins with redis-cluster://"),
        ("redis://a,redis://b", "more than one URL"),
        ("redis://a/x", "no database number from 0 to 255"),
        ("redis://a/256", "no database number from 0 to 255"),
        ("redis://a/-1", "no database number from 0 to 255"),
        ("redis://a/1/2", "no database number from 0 to 255"),
        ("redis://a/1?db=2", "names two databases"),
        ("redis://a?db=x", "no database number"),
        ("redis://a#1", "has a \"#\""),
        ("redis://ann:pa/ss@a", "written %2F"),
        ("redis://ann:pa?ss@a", "written %2F"),
        ("redis://ann:pa#ss@a", "written %2F"),
        ("redis://ann:%FF@a", "not UTF-8"),
        ("redis-cluster://a,b/1", "a cluster has only number 0"),
        ("redis-sentinel://a/main/x", "no database number"),
        ("redis-sentinel://a/main?name=main", "names the service twice"),
        ("redis-sentinel://a?name=", "empty or has spaces"),
        ("redis-sentinel://a/ma%20in", "empty or has spaces"),
        ("unix:", "names no socket"),
        ("unix://ann:hush@/run/a.sock", "options of their own"),
        ("unix:/run/a.sock?db=3", "options of their own"),
    ] {
        refused(at(url), words);
        refused(at(url), "url ");
        refused(resolve(&[("REDIS_PUBLIC_URL", if url.is_empty() { "x" } else { url })]), "REDIS_PUBLIC_URL ");
    }
}

#[test]
fn an_error_shows_the_hosts_if_they_are_certain() {
    refused(at("redis://ann:hush@db.example:7000/x"), "redis://***@db.example:7000");
    refused(at("redis-cluster://a:1,b:2/x"), "redis-cluster://a:1,b:2");
    refused(at("redis://a:hush"), "redis://…");
}

#[test]
fn a_server_names_itself() {
    for (url, words) in [
        ("redis://a:1", "a:1"),
        ("redis://[::1]", "[::1]:6379"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("redis-cluster://ann:hush@a,b:1", "cluster a:6379,b:1"),
        ("redis-sentinel://ann:hush@a,b:1/main", "main at sentinels a:26379,b:1"),
        ("memory:name", "memory"),
    ] {
        assert_eq!(at(url).unwrap().server.to_string(), words);
    }
}
