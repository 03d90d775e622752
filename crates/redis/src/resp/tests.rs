use cinnabar_port::error::Kind;
use proptest::prelude::*;

use super::{skip::DEEPEST_OF_ALL, *};

fn refused(bytes: &[u8]) -> &'static str {
    read_all(bytes).unwrap_err().0
}

fn read_all(bytes: &[u8]) -> Result<Vec<Read>, Malformed> {
    read_in(&[bytes])
}

/// Decodes input that arrives in these chunks.
fn read_in(chunks: &[&[u8]]) -> Result<Vec<Read>, Malformed> {
    let (mut decoder, mut buffer, mut all) = (Decoder::new(LARGEST), BytesMut::new(), Vec::new());
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while let Some(read) = decoder.next(&mut buffer)? {
            all.push(read);
        }
    }
    Ok(all)
}

fn write(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Nil => out.extend_from_slice(b"$-1\r\n"),
        Reply::Int(n) => out.extend_from_slice(format!(":{n}\r\n").as_bytes()),
        Reply::Bulk(bytes) => {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Array(items) => {
            out.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
            items.iter().for_each(|item| write(item, out));
        }
        Reply::Error(words) => {
            out.push(b'-');
            out.extend_from_slice(words);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn replies() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        Just(Reply::Nil),
        any::<i64>().prop_map(Reply::Int),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Reply::Bulk(bytes.into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| prop::collection::vec(inner, 0..6).prop_map(Reply::Array))
}

proptest! {
    #[test]
    fn a_reply_reads_the_same_however_it_is_cut(all in prop::collection::vec(replies(), 1..4), cuts in prop::collection::vec(1..9_usize, 1..20)) {
        let mut bytes = Vec::new();
        all.iter().for_each(|reply| write(reply, &mut bytes));
        let (mut chunks, mut rest) = (Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (chunk, after) = rest.split_at((*cut).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let read: Vec<Reply> = read_in(&chunks).unwrap().into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn nothing_that_comes_in_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn nothing_similar_to_resp_breaks_it(text in "([*$:+-][0-9-]{0,12}\r\n){0,60}") {
        let _ = read_all(text.as_bytes());
    }
}

#[test]
fn invalid_input_is_an_error() {
    assert_eq!(refused(b"*2000000000\r\n"), "an array with more elements than any reply has");
    assert_eq!(refused(b"$999999999999\r\n"), "a string longer than any server stores");
    assert_eq!(refused(b"$-7\r\n"), "a string longer than any server stores");
    assert_eq!(refused(&[b':'; 100]), "a line without a terminator");
    assert!(read_all(b"HTTP/1.1 400 Bad Request\r\n").is_err());
    assert!(read_all(b"$3\r\nabcde").is_err());
    assert!(read_all(b":+1\r\n").is_err());
    assert!(read_all(b"\r\n").is_err());
}

/// The error of the first reply. Checks that the `+OK` after it is decoded, in whatever chunks the bytes arrive.
fn costs_its_call(first: &[u8], most: usize) -> Error {
    let whole = [first, b"+OK\r\n"].concat();
    let mut errors = [1, 7, 100_000].into_iter().map(|cut| {
        let (mut decoder, mut buffer, mut all) = (Decoder::new(most), BytesMut::new(), Vec::new());
        for chunk in whole.chunks(cut) {
            buffer.extend_from_slice(chunk);
            while let Some(read) = decoder.next(&mut buffer).unwrap() {
                all.push(read);
            }
        }
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].as_ref().unwrap(), &Reply::text("OK"));
        all.swap_remove(0).unwrap_err()
    });
    errors.next().unwrap()
}

#[test]
fn a_reply_that_is_too_large_fails_only_its_call() {
    let nested = |depth: usize| [&b"*2\r\n:1\r\n".repeat(depth)[..], b"+x\r\n"].concat();
    for (reply, most, words) in [
        (nested(DEEPEST + 2), LARGEST, "nested more than 200 arrays deep"),
        (nested(10_000), LARGEST, "nested more than 200 arrays deep"),
        ([&b"*3\r\n$2\r\nab\r\n"[..], &nested(500), b"$-1\r\n"].concat(), LARGEST, "nested more than 200 arrays deep"),
        ([&[b'+'; LONGEST_LINE + 2][..], b"\r\n"].concat(), LARGEST, "a status longer than 1 MB"),
        ([&b"*2\r\n+"[..], &[b'x'; LONGEST_LINE + 2], b"\r\n:1\r\n"].concat(), LARGEST, "a status longer"),
        (b"$2000\r\n".iter().copied().chain([b'x'; 2000]).chain(*b"\r\n").collect(), 1000, "larger than"),
        ([&b"*100\r\n"[..], &b":1\r\n".repeat(100)].concat(), 1000, "larger than"),
        ([&b"*100\r\n"[..], &b"*0\r\n".repeat(100)].concat(), 1000, "larger than"),
        (
            [&b"*3\r\n*2\r\n:1\r\n$900\r\n"[..], &[b'x'; 900], b"\r\n$3\r\na\r\n\r\n*-1\r\n"].concat(),
            900,
            "larger than",
        ),
    ] {
        let error = costs_its_call(&reply, most);
        assert_eq!(error.kind, Kind::Unsupported);
        assert!(error.message().contains(words), "{error}");
    }
    let long = [&b"-LOADING "[..], &[b'x'; LONGEST_LINE], b"\r\n"].concat();
    assert_eq!(costs_its_call(&long, LARGEST).kind, Kind::Unavailable);
}

#[test]
fn a_large_reply_is_accepted_up_to_the_limit() {
    let reply = [&b"*10\r\n"[..], &b":1\r\n".repeat(10)].concat();
    let mut decoder = Decoder::new(11 * ELEMENT);
    // The limit applies to each reply separately.
    for _ in 0..3 {
        assert!(decoder.next(&mut BytesMut::from(&reply[..])).unwrap().unwrap().is_ok());
    }
}

#[test]
fn a_reply_that_never_ends_is_refused() {
    let why = Error::new(Kind::Unsupported, "too deep");
    let mut skip = Skip { elements: 1, pending: Pending::Nothing, nested: 0, passed: MOST_PASSED - 20, why };
    let refused = skip.pass(&mut BytesMut::from(&b"*1\r\n".repeat(10)[..]));
    assert_eq!(refused.err(), Some(Malformed("an endless reply")));
}

#[test]
fn a_reply_that_is_nested_deeper_than_any_server_nests_is_refused() {
    let read = |depth: u32| Decoder::new(LARGEST).next(&mut BytesMut::from(&b"*1\r\n".repeat(depth as usize)[..]));
    let within = DEEPEST as u32 + DEEPEST_OF_ALL;
    assert!(read(within).unwrap().is_none());
    assert_eq!(read(within + 2).err(), Some(Malformed("arrays nested deeper than any server allows")));
}

proptest! {
    #[test]
    fn a_reply_can_be_skipped_from_any_point(all in prop::collection::vec(replies(), 1..3), at in 0..200_usize) {
        let mut bytes = Vec::new();
        all.iter().for_each(|reply| write(reply, &mut bytes));
        bytes.extend_from_slice(b"+last\r\n");
        let (mut decoder, mut buffer) = (Decoder::new(LARGEST), BytesMut::new());
        let (before, after) = bytes.split_at(at.min(bytes.len() - 7));
        let mut count = 0;
        buffer.extend_from_slice(before);
        while decoder.next(&mut buffer).unwrap().is_some() { count += 1 }
        while count < all.len() {
            decoder.pass_over();
            if decoder.next(&mut buffer).unwrap().is_some() {
                count += 1;
            } else {
                buffer.extend_from_slice(after);
                if decoder.next(&mut buffer).unwrap().is_some() { count += 1 }
                while count < all.len() {
                    decoder.pass_over();
                    prop_assert!(decoder.next(&mut buffer).unwrap().is_some());
                    count += 1;
                }
                prop_assert_eq!(decoder.next(&mut buffer).unwrap().unwrap().unwrap(), Reply::text("last"));
                return Ok(());
            }
        }
        buffer.extend_from_slice(after);
        prop_assert_eq!(decoder.next(&mut buffer).unwrap().unwrap().unwrap(), Reply::text("last"));
    }
}

#[test]
fn an_error_in_an_array_stays_in_its_position_and_is_the_error_of_the_whole() {
    let all = read_all(b"*2\r\n-WRONGTYPE no\r\n:1\r\n+OK\r\n-ERR bad\r\n").unwrap();
    let refused = Reply::Error(Bytes::from_static(b"WRONGTYPE no"));
    assert_eq!(all[0].as_ref().unwrap(), &Reply::Array(vec![refused, Reply::Int(1)]));
    assert_eq!(all[0].clone().unwrap().into_result().unwrap_err().kind, Kind::WrongType);
    assert_eq!(all[1].as_ref().unwrap(), &Reply::text("OK"));
    assert_eq!(all[2].as_ref().unwrap_err().message(), "ERR bad");
}

#[test]
fn a_large_value_says_what_it_wants() {
    let buffer = BytesMut::from(&b"$1000\r\nabc"[..]);
    assert_eq!(Decoder::new(LARGEST).wants(&buffer), 999);
}

#[test]
fn commands_end_where_they_say() {
    let mut commands = Commands::default();
    commands.push_words(&[b"GET", b"k"]);
    commands.push_words(&[b"SET", b"k", b""]);
    let (bytes, ends) = commands.finish();
    assert_eq!(&bytes[..], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
    assert_eq!(ends, [20, bytes.len()]);
}
