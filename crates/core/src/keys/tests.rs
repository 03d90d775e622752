use proptest::prelude::*;

use super::*;

fn prefix(text: &str) -> Prefix {
    Prefix::new(text).unwrap()
}

fn text(key: Result<Bytes>) -> String {
    String::from_utf8(key.unwrap().to_vec()).unwrap()
}

#[test]
fn documented_keys_are_literal() {
    assert_eq!(text(session(&prefix(SESSIONS), "abc")), "session:abc");
    assert_eq!(limit(&prefix(LIMITS), "ip"), "rate_limit:ip");
    assert_eq!(text(lock(&prefix(LOCKS), "res")), "lock:res");
    assert_eq!(text(room_users(&prefix(ROOMS), "x")), "room:x:users");
    assert_eq!(text(room_messages(&prefix(ROOMS), "x")), "room:x:messages");
    assert_eq!(cache_entry(&prefix(CACHE), "name"), "api:name");
    assert_eq!(cache_entry(&prefix(CACHE), "cache:/users:1f"), "api:cache:/users:1f");
    assert_eq!(text(raw("key", "a{b}*")), "a{b}*");
    assert_eq!(text(session(&prefix(SESSIONS), "josé ü@x.org")), "session:josé ü@x.org");
}

#[test]
fn companions_share_the_slot() {
    assert_eq!(text(session_load(&prefix(SESSIONS), "abc")), "session:{session:abc}:load");
    assert_eq!(text(user_sessions(&prefix(SESSIONS), "u")), "session:{session:user:u}:sessions");
    assert_eq!(text(user_epoch(&prefix(SESSIONS), "u")), "session:{session:user:u}:epoch");
    assert_eq!(text(tag_sessions(&prefix(SESSIONS), "u")), "session:{session:tag:u}:sessions");
}

#[test]
fn the_key_of_an_epoch_is_known_without_being_built() {
    let names = ["u", "a:b", "}:epoch", "tag:u", "%", "ü", &"x".repeat(600)];
    for before in ["", "session:", "s{"].iter().filter_map(|before| Prefix::new(before).ok()) {
        for (one, other) in names.iter().flat_map(|one| names.iter().map(move |other| (one, other))) {
            let (user, tag) = (user_epoch(&before, one).unwrap(), tag_epoch(&before, one).unwrap());
            assert_eq!(is_user_epoch(&before, other, &user), one == other, "{one} {other}");
            assert_eq!(is_tag_epoch(&before, other, &tag), one == other, "{one} {other}");
            assert!(!is_user_epoch(&before, other, &tag) && !is_tag_epoch(&before, other, &user));
        }
        for other in ["", "session:{session:user:}:epoch", "session:{session:user:u}:sessions", "\0"] {
            assert!(!is_user_epoch(&before, "", other.as_bytes()) && !is_user_epoch(&before, "u", other.as_bytes()));
        }
    }
}

#[test]
fn companions_of_rooms_share_the_slot() {
    let rooms = prefix(ROOMS);
    let (users, messages) = (room_users(&rooms, "x").unwrap(), room_messages(&rooms, "x").unwrap());
    assert_eq!(room_member_counts(&rooms, &users), "room:{room:x:users}:refs");
    assert_eq!(room_memberships(&rooms, &users, "7f"), "room:{room:x:users}:node:7f");
    assert_eq!(room_tombstone(&rooms, &users, "7f"), "room:{room:x:users}:gone:7f");
    assert_eq!(room_changes(&rooms, &users, 0), "room:{room:x:users}:events");
    assert_eq!(room_changes(&rooms, &users, 1), "room:{room:x:users}:db1:events");
    assert_eq!(room_numbers(&rooms, &messages), "room:{room:x:messages}:seq");
    assert_eq!(room_live(&rooms, &messages, 0), "room:{room:x:messages}:live");
    assert_eq!(room_live(&rooms, &messages, 12), "room:{room:x:messages}:db12:live");
    assert_eq!(room_leases(&rooms), "room:{room:}:nodes");
    assert_eq!(room_process_rooms(&rooms, "7f"), "room:{room:}:rooms:7f");
    assert_eq!(room_process_rooms(&prefix(""), "7f"), "{rooms}:rooms:7f", "empty braces are none");
}

#[test]
fn the_keys_of_a_queue_share_its_slot() {
    let queue = text(super::queue(&prefix(QUEUES), "mail {x}:*"));
    assert_eq!(queue, "queue:{queue:mail %7Bx%7D:%2A}:");
    assert_eq!(QueueKey::Meta.of(queue.as_bytes()), format!("{queue}meta"));
    assert_eq!(queue_channels(queue.as_bytes(), 0), queue);
    assert_eq!(queue_channels(queue.as_bytes(), 7), format!("{queue}db7:"));
    assert_eq!(queue_events(queue.as_bytes()), format!("{queue}events"));
    assert_eq!(queue_wake(queue.as_bytes()), format!("{queue}wake"));
    assert_eq!(QueueKey::Log(b"a%7B").of(queue.as_bytes()), format!("{queue}log:a%7B"));
    assert!(super::queue(&prefix(QUEUES), "").is_err());
}

#[test]
fn encoded_ids_are_decoded_exactly() {
    for id in ["a", "a b:c", "{}%*?[]\\\n\u{7f}", "%7B", "%sha256:", "ünï", &"x".repeat(512)] {
        assert_eq!(decoded_id(encoded_id("id", id).unwrap().as_bytes()), id);
    }
    for bad in [String::new(), "a\0".into(), "x".repeat(513), "{".repeat(171)] {
        assert_eq!(encoded_id("id", &bad).unwrap_err().kind.code(), "E_INVALID_ARGUMENT");
    }
}

#[test]
fn special_characters_are_encoded() {
    assert_eq!(identifier("id", "a{b}%*?[c]\\\n\u{7f}").unwrap(), "a%7Bb%7D%25%2A%3F%5Bc%5D%5C%0A%7F");
}

#[test]
fn long_identifiers_are_hashed() {
    let (plain, long) = ("a".repeat(512), "a".repeat(513));
    assert_eq!(identifier("id", &plain).unwrap(), plain);
    let hashed = identifier("id", &long).unwrap().into_owned();
    assert_eq!(hashed.len(), 8 + 64);
    assert_ne!(identifier("id", &hashed).unwrap(), hashed, "another identifier may look like a hash");
}

#[test]
fn invalid_identifiers_and_prefixes_are_rejected() {
    for (bad, word) in [(String::new(), "empty"), ("a\0b".into(), "NUL"), ("a".repeat(65_537), "65537")] {
        let error = identifier("userId", &bad).unwrap_err();
        assert_eq!(error.kind.code(), "E_INVALID_ARGUMENT");
        assert!(error.message().contains("userId") && error.message().contains(word), "{error}");
    }
    for bad in ["a{b".to_owned(), "a}".into(), "a\nb".into(), "a".repeat(129)] {
        assert_eq!(Prefix::new(&bad).unwrap_err().kind.code(), "E_INVALID_SETTINGS");
    }
}

#[test]
fn any_untrusted_text_is_a_valid_key() {
    let (cache, limits) = (prefix(CACHE), prefix(LIMITS));
    assert_eq!(cache_entry(&cache, "a\0{b}"), "api:a%00%7Bb%7D");
    assert_eq!(cache_lease(&cache, "a\0{b}"), "api:{api:a%00%7Bb%7D}:load");
    assert_eq!((cache_entry(&cache, ""), limit(&limits, "")), ("api:%empty".into(), "rate_limit:%empty".into()));
    let long = limit(&limits, &"x".repeat(1 << 20));
    assert!(long.starts_with(b"rate_limit:%sha256:") && long.len() < 100);
    assert_eq!(cache_tag_epoch(&cache, "user:1"), "api:{api:tag:user:1}:mark");
    assert_ne!(cache_entry(&cache, "%empty"), cache_entry(&cache, ""));
}

#[test]
fn only_globs_are_special_in_patterns() {
    let both = |glob| cache_pattern(&prefix(CACHE), glob).map(|(entries, _)| entries);
    let of = |glob| text(both(glob));
    assert_eq!(of("user:*"), "api:user:*");
    assert_eq!(of("a?[^b-d]"), "api:a?[^b-d]");
    assert_eq!(of("100%{x}]"), "api:100%25%7Bx%7D%5D");
    assert_eq!(of("a\\*\\\\"), "api:a%2A%5C");
    assert_eq!(of("[Aa]pi[0-9_x]"), "api:[Aa]pi[0-9_x]");
    assert_eq!(of("/blog/\\[slug\\]:*"), "api:/blog/%5Bslug%5D:*");
    let (entries, leases) = cache_pattern(&prefix("a*[b]:"), "*").unwrap();
    assert_eq!((&entries[..], &leases[..]), (&b"a\\*\\[b\\]:*"[..], &b"a\\*\\[b\\]:{a\\*\\[b\\]:*}:load"[..]));
    for bad in ["", "[abc", "[]", "[a{]", "[^]", "[slug]", "/[...path]", "[user-id]", "x[ab0-9]"] {
        assert_eq!(both(bad).unwrap_err().kind.code(), "E_INVALID_ARGUMENT", "{bad:?}");
    }
    assert_eq!(cache_pattern(&prefix(""), "*").unwrap_err().kind.code(), "E_INVALID_ARGUMENT");
    assert!(is_cache_entry(&prefix(CACHE), b"api:a") && !is_cache_entry(&prefix(CACHE), b"api:{api:a}:load"));
}

proptest! {
    /// The prefix, which ACLs, scans and dashboards rely on, and the hash tag, which a cluster relies on.
    #[test]
    fn companions_begin_with_their_prefix_and_share_the_slot(own in "[a-z:]{0,9}", id in "[ab%{}*:#]{1,8}|.{1,600}") {
        let prefix = prefix(&own);
        let Ok(key) = session(&prefix, &id) else { return Ok(()) };
        let users = room_users(&prefix, &id).unwrap();
        for (key, companion) in [
            (&key[..], session_load(&prefix, &id).unwrap()),
            (&users[..], room_member_counts(&prefix, &users)),
            (&users[..], room_memberships(&prefix, &users, "7f")),
            (&users[..], room_changes(&prefix, &users, 0)),
            (&users[..], room_changes(&prefix, &users, 9)),
            (&[own.as_bytes(), identifier("id", &id).unwrap().as_bytes()].concat()[..], queue(&prefix, &id).unwrap()),
        ] {
            prop_assert!(companion.starts_with(own.as_bytes()));
            // Redis hashes the text between the first braces.
            let open = companion.iter().position(|byte| *byte == b'{').unwrap() + 1;
            let close = companion.iter().position(|byte| *byte == b'}').unwrap();
            prop_assert_eq!(&companion[open..close], key);
        }
        for whole in [cache_lease(&prefix, ""), cache_tag_epoch(&prefix, ""), room_leases(&prefix), room_process_rooms(&prefix, "7f")] {
            prop_assert!(whole.starts_with(own.as_bytes()));
        }
    }

    #[test]
    fn no_two_identifiers_collide(a in "[ab%{}*0-9A-F:#]{1,8}|.{1,600}", b in "[ab%{}*0-9A-F:#]{1,8}|.{1,600}") {
        let (Ok(x), Ok(y)) = (identifier("id", &a), identifier("id", &b)) else { return Ok(()) };
        prop_assert_eq!(a == b, x == y);
        let special = x.contains(['{', '}', '*', '?', '[', ']', '\\']);
        prop_assert!(!special && x.len() <= 512);
    }

    #[test]
    fn encoding_can_be_undone(a in "[ -~]{1,40}|[%{}*]{1,6}") {
        let encoded = identifier("id", &a).unwrap().into_owned();
        let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap().into_owned();
        prop_assert_eq!(decoded, a);
    }
}
