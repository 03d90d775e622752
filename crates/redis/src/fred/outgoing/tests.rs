use super::*;
use crate::resp::Commands;

fn exchange(commands: &[&[&str]]) -> Bytes {
    let mut all = Commands::default();
    for command in commands {
        all.push_words(&command.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
    }
    all.finish().0
}

fn sent(commands: &[&[&str]], scripts: &mut Wrapped) -> Vec<(String, Reading)> {
    steps(exchange(commands), scripts)
        .into_iter()
        .map(|step| match step {
            Step::Send(Outgoing { words, reading, .. }) => {
                let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                (words.join(" "), reading)
            }
            Step::Reply(error) => (error.message().to_owned(), Reading::None),
        })
        .collect()
}

fn one(command: &[&str]) -> (String, Reading) {
    sent(&[command], &mut Wrapped::default()).remove(0)
}

fn bulk(text: &'static str) -> Reply {
    Reply::text(text)
}

#[test]
fn merged_reads_are_padded_where_their_reply_could_be_a_message() {
    assert_eq!(one(&["MGET", "a", "b"]), ("MGET a b".into(), Reading::Whole));
    assert_eq!(one(&["MGET", "a", "b", "c"]), ("MGET a b c c c c".into(), Reading::First(3)));
    assert_eq!(one(&["MGET", "a", "b", "c", "d", "e"]).1, Reading::First(5));
    assert_eq!(one(&["MGET", "a", "b", "c", "d", "e", "f"]), ("MGET a b c d e f".into(), Reading::Whole));
    assert_eq!(one(&["HMGET", "key", "a", "b", "c"]), ("HMGET key a b c c c c".into(), Reading::First(3)));
    let padded = Ok(Reply::Array(vec![bulk("message"), bulk("x"), bulk("y"), bulk("y"), bulk("y"), bulk("y")]));
    let expected = Reply::Array(vec![bulk("message"), bulk("x"), bulk("y")]);
    assert_eq!(Reading::First(3).apply(padded).unwrap().unwrap(), expected);
}

#[test]
fn lists_of_what_callers_have_stored_are_read_by_a_script() {
    let (sent, reading) = one(&["HGETALL", "key"]);
    assert_eq!((sent, reading.clone()), (format!("EVAL {RUN} 1 key HGETALL key"), Reading::Second));
    let list = Reply::Array(vec![bulk("message"), bulk("x"), bulk("y")]);
    let wrapped = Reply::Array(vec![Reply::Int(1), list.clone()]);
    assert_eq!(reading.apply(Ok(wrapped)).unwrap().unwrap(), list);
    // A list may end in nil.
    assert_eq!(Reading::Second.apply(Ok(Reply::Array(vec![Reply::Int(1)]))).unwrap().unwrap(), Reply::Nil);
    let refused = Reply::Array(vec![Reply::Int(1), Reply::Error(Bytes::from_static(b"WRONGTYPE no"))]);
    assert_eq!(Reading::Second.apply(Ok(refused)).unwrap().unwrap_err().kind, Kind::WrongType);
    assert_eq!(one(&["LPOP", "key"]).1, Reading::Whole);
    assert_eq!(one(&["LPOP", "key", "3"]).1, Reading::Second);
    assert_eq!(one(&["SUNION", "a", "b"]).0, format!("EVAL {RUN} 2 a b SUNION a b"));
}

#[test]
fn a_script_is_wrapped_and_found_by_its_own_name() {
    let mut scripts = Wrapped::default();
    let source = "return redis.call('GET', KEYS[1])";
    let sha = sha1_smol::Sha1::from(source).digest().to_string();
    let named = ["EVALSHA", &sha, "1", "key"];
    assert!(sent(&[&named], &mut scripts)[0].0.starts_with("NOSCRIPT"));
    let (words, reading) = sent(&[&["EVAL", source, "1", "key"]], &mut scripts).remove(0);
    let wrapped = format!("return {{1, (function(...) {source}\nend)(...)}}");
    assert_eq!((words, reading), (format!("EVAL {wrapped} 1 key"), Reading::Second));
    let sha = sha1_smol::Sha1::from(&wrapped).digest().to_string();
    assert_eq!(sent(&[&named], &mut scripts)[0], (format!("EVALSHA {sha} 1 key"), Reading::Second));
}

#[test]
fn a_line_for_the_server_stays_the_first_of_a_script() {
    let wrapped = wrap(b"#!lua flags=no-writes\nreturn 1");
    assert_eq!(wrapped, "#!lua flags=no-writes\nreturn {1, (function(...) return 1\nend)(...)}");
    assert_eq!(wrap(b"#!lua"), "#!luareturn {1, (function(...) \nend)(...)}", "no script either way");
}

#[test]
fn the_reply_of_a_transaction_begins_with_that_to_a_ping() {
    let commands: [&[&str]; 4] = [&["MULTI"], &["GET", "a"], &["HGETALL", "h"], &["EXEC"]];
    let sent = sent(&commands, &mut Wrapped::default());
    let words: Vec<_> = sent.iter().map(|(words, _)| words.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["MULTI", "PING", "GET", "EVAL", "EXEC"]);
    let readings: Vec<_> = sent.into_iter().map(|(_, reading)| reading).collect();
    assert_eq!(readings[1], Reading::None);
    assert_eq!(readings[3], Reading::Whole, "it is queued");
    let hash = Reply::Array(vec![Reply::Int(1), Reply::Array(vec![bulk("f"), bulk("v")])]);
    let done = Ok(Reply::Array(vec![bulk("PONG"), bulk("message"), hash]));
    let expected = Reply::Array(vec![bulk("message"), Reply::Array(vec![bulk("f"), bulk("v")])]);
    assert_eq!(readings[4].clone().apply(done).unwrap().unwrap(), expected);
    let aborted = Err(Error::from_server("EXECABORT no"));
    assert!(readings[4].clone().apply(aborted).unwrap().is_err());
}

#[test]
fn bytes_in_an_error_are_expected_of_scripts_and_of_words_that_are_not_ascii() {
    let expected = |command: &[&str]| {
        let steps = steps(exchange(&[command]), &mut Wrapped::default());
        steps.iter().any(|step| matches!(step, Step::Send(outgoing) if outgoing.error_may_be_bytes))
    };
    assert!(expected(&["EVAL", "return 1", "0"]));
    assert!(expected(&["XREADGROUP", "GROUP", "g", "c", "STREAMS", "ключ", ">"]));
    assert!(!expected(&["LRANGE", "list", "0", "-1"]), "a script of ours");
    assert!(!expected(&["SET", "key", "value"]));
}
