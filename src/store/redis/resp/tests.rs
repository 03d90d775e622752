use proptest::prelude::*;

use super::*;
use crate::error::Kind;

fn refused(bytes: &[u8]) -> &'static str {
    read_all(bytes).unwrap_err().0
}

fn read_all(bytes: &[u8]) -> Result<Vec<Read>, Malformed> {
    read_in(&[bytes])
}

/// Reads what comes in these pieces.
fn read_in(pieces: &[&[u8]]) -> Result<Vec<Read>, Malformed> {
    let (mut decoder, mut buffer, mut all) = (Decoder::default(), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
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
        let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let read: Vec<Reply> = read_in(&pieces).unwrap().into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn nothing_that_comes_in_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn nothing_that_looks_like_resp_breaks_it(text in "([*$:+-][0-9-]{0,12}\r\n){0,60}") {
        let _ = read_all(text.as_bytes());
    }
}

#[test]
fn depth_and_size_are_bounded() {
    assert_eq!(refused(&b"*1\r\n".repeat(10_000)), "a reply nested deeper than any reply is");
    assert_eq!(refused(b"*2000000000\r\n"), "an array of more elements than any reply has");
    assert_eq!(refused(b"$999999999999\r\n"), "a string longer than 512 MB");
    assert_eq!(refused(b"$-7\r\n"), "a string longer than 512 MB");
    assert_eq!(refused(&[b'+'; LONGEST_LINE + 1]), "a line without an end");
    assert_eq!(refused(&[&[b'+'; LONGEST_LINE + 1][..], b"\r\n"].concat()), "a line of more than 1 MB");
    assert!(read_all(b"HTTP/1.1 400 Bad Request\r\n").is_err());
    assert!(read_all(b"$3\r\nabcde").is_err());
    assert!(read_all(b":+1\r\n").is_err());
    assert!(read_all(b"\r\n").is_err());
}

#[test]
fn a_refusal_inside_is_the_refusal_of_the_whole() {
    let all = read_all(b"*2\r\n-WRONGTYPE no\r\n:1\r\n+OK\r\n-ERR bad\r\n").unwrap();
    assert_eq!(all[0].as_ref().unwrap_err().kind, Kind::WrongType);
    assert_eq!(all[1].as_ref().unwrap(), &Reply::text("OK"));
    assert_eq!(all[2].as_ref().unwrap_err().message(), "ERR bad");
}

#[test]
fn a_large_value_says_what_it_wants() {
    let buffer = BytesMut::from(&b"$1000\r\nabc"[..]);
    assert_eq!(Decoder::default().wants(&buffer), 999);
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
