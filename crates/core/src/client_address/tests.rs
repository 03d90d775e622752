//! Which address is found behind which proxies, whatever the client sends.

use ipnet::{IpNet, Ipv4Net};

use super::*;

const ADDRESSES: [&str; 8] = [
    "203.0.113.9",
    "198.51.100.255",
    "2001:db8:a:b:c:d:e:f",
    "2001:db8::1",
    "::ffff:203.0.113.9",
    "fe80::1%eth0",
    "100.64.0.1",
    "2a00:1450:4001:81b::200e",
];
/// What a client may write, in any order, to be taken for another.
const HOSTILE: [&str; 24] = [
    "1.1.1.1",
    "1.1.1.1:80",
    "[1::1]:80",
    "1::1",
    ",",
    ", ",
    ";",
    "\"",
    "\\",
    "\\\"",
    "for=",
    "for=1.1.1.1",
    "for=\"[1::1]\"",
    "FOR=",
    "=",
    "%eth0",
    " ",
    "\t",
    "[",
    "]",
    "::ffff:1.1.1.1",
    "unknown",
    "10.0.0.1",
    "é\u{0}",
];
const CHOSEN: [&str; 2] = ["1.1.1.1", "1::/64"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn proxies(texts: &[&str]) -> AddressList {
    AddressList::new(texts.iter().map(|text| network(text).unwrap()))
}

fn reader(proxies: Proxies, header: Header) -> ClientAddress {
    ClientAddress { proxies, header, ipv6_prefix: 64 }
}

/// As a proxy appends it.
fn entry(random: &mut Random, address: &str, header: Header) -> String {
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let host = if random.below(3) == 0 { format!("{host}:{}", random.below(65_536)) } else { host };
    match header {
        Header::Forwarded => {
            let for_ = if random.below(2) == 0 { "for" } else { "For" };
            let quoted = format!("{for_}=\"{host}\"");
            match random.below(4) {
                0 => format!("{quoted};proto=https"),
                1 => format!("by=\"_a,b\";{quoted}"),
                2 => format!("host=\"a\\\"b;,\"; {quoted} ;proto=http"),
                _ => quoted,
            }
        }
        _ if random.below(2) == 0 => address.to_owned(),
        _ => host,
    }
}

#[test]
fn no_header_makes_a_client_another() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let listed = proxies(&["10.0.0.0/8", "2001:db8:ffff::/48"]);
    for step in 0..100_000 {
        let client = random.pick(&ADDRESSES);
        let hostile: String = (0..random.below(12)).map(|_| random.pick(&HOSTILE)).collect();
        let header = [Header::List, Header::Forwarded, Header::Single][random.below(3)];
        let count = random.below(4);
        let own = ["10.1.2.3", "10.255.0.1", "::ffff:10.0.0.7", "2001:db8:ffff::5"];
        // The client connects to the first proxy, and each proxy to the next.
        let chain: Vec<&str> = std::iter::once(client).chain((0..count).map(|_| random.pick(&own))).collect();
        let (peer, reported) = chain.split_last().unwrap();
        let mut value = hostile.clone();
        for address in reported {
            value = match header {
                Header::Single if *address != client => value,
                Header::Single => (*address).to_owned(),
                _ if value.is_empty() => entry(&mut random, address, header),
                _ => format!("{value}, {}", entry(&mut random, address, header)),
            };
        }
        let wanted = reader(Proxies::Count(0), header).read(Some(client), None).unwrap();
        for proxies in [Proxies::Count(count as u32), Proxies::Listed(listed.clone())] {
            let found = reader(proxies.clone(), header).read(Some(peer), Some(&value));
            assert_eq!(found.as_deref(), Some(&*wanted), "step {step}: {value:?} from {peer}, {proxies:?}, {header:?}");
        }
        // Without proxies, whatever is in any header.
        for header in [Header::List, Header::Forwarded, Header::Single] {
            let direct = reader(Proxies::Listed(listed.clone()), header).read(Some(client), Some(&hostile));
            assert_eq!(direct.as_deref(), Some(&*wanted), "step {step}: {hostile:?}");
            assert!(!CHOSEN.contains(&&*wanted));
            // Nor do more proxies than there are find what is no address.
            let more = reader(Proxies::Count(9), header).read(Some(client), Some(&hostile));
            assert!(more.is_some_and(|text| proxies_text(&text)), "step {step}: {hostile:?}");
        }
    }
}

/// Whether a text is an address or a network, and nothing else.
fn proxies_text(text: &str) -> bool {
    network(text).is_some_and(|network| network.to_string().starts_with(text.split('/').next().unwrap()))
}

#[test]
fn a_list_has_what_its_networks_have() {
    let list = proxies(&[
        "10.0.0.0/8",
        "10.1.0.0/16",
        "192.0.2.7",
        "::ffff:198.51.100.0/120",
        "2001:db8::/32",
        "::1",
        "10.9.9.9/8",
    ]);
    for inside in [
        "10.0.0.0",
        "10.255.255.255",
        "192.0.2.7",
        "198.51.100.3",
        "::ffff:10.0.0.1",
        "2001:db8:1:2::/64",
        "[::1]:80",
        "10.2.0.0/15",
    ] {
        assert!(list.contains_text(inside), "{inside}");
    }
    for outside in [
        "11.0.0.0",
        "9.255.255.255",
        "192.0.2.8",
        "198.51.101.0",
        "::2",
        "2001:db9::",
        "10.0.0.0/7",
        "::/0",
        "",
        "x",
        "10.0.0.256",
        "10.0.0.1/33",
    ] {
        assert!(!list.contains_text(outside), "{outside}");
    }
    assert!(!AddressList::default().contains_text("10.0.0.1"));
    assert!(proxies(&["0.0.0.0/0"]).contains_text("255.255.255.255") && !proxies(&["::/0"]).contains_text("10.0.0.1"));
}

#[test]
fn a_list_is_exact_at_the_ends_of_random_networks() {
    let mut random = Random(7);
    for _ in 0..300 {
        let networks: Vec<IpNet> = (0..40)
            .map(|_| Ipv4Net::new((random.below(1 << 12) as u32).into(), 20 + random.below(13) as u8).unwrap().into())
            .collect();
        let list = AddressList::new(networks.iter().copied());
        for address in 0..1_u32 << 12 {
            let address = IpAddr::V4(address.into());
            assert_eq!(list.contains(address), networks.iter().any(|network| network.contains(&address)), "{address}");
        }
    }
}
