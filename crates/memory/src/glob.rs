//! Glob patterns of `KEYS`, `SCAN` and `PSUBSCRIBE`.

/// Whether `text` matches `pattern`: `*`, `?`, `[abc]`, `[^a-z]`, and `\` escapes the next character.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // The position of the last star and of the text that it has consumed. Backtracking to that star alone is enough, so the time is not
    // exponential.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(c)) => one(&pattern[p..], *c),
            _ => None,
        };
        if let Some(width) = step {
            p += width;
            t += 1;
        } else if let Some((at, consumed)) = star
            && consumed < text.len()
        {
            star = Some((at, consumed + 1));
            p = at + 1;
            t = consumed + 1;
        } else {
            return false;
        }
    }
}

/// Matches one character with the first item of a pattern, and returns the length of that item.
fn one(pattern: &[u8], c: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => self::class(class, c).map(|width| width + 1),
        [b'\\', literal, ..] => (*literal == c).then_some(2),
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

/// Matches one character with a class, and returns the length of the class, closing bracket included. An unclosed class ends with the
/// pattern.
fn class(class: &[u8], c: u8) -> Option<usize> {
    let (not, mut i) = if class.first() == Some(&b'^') { (true, 1) } else { (false, 0) };
    let mut found = false;
    loop {
        match class.get(i..).unwrap_or_default() {
            [] => break,
            [b'\\', literal, ..] => {
                found |= *literal == c;
                i += 2;
            }
            [b']', ..] => {
                i += 1;
                break;
            }
            [from, b'-', to, ..] => {
                found |= (*from.min(to)..=*from.max(to)).contains(&c);
                i += 3;
            }
            [literal, ..] => {
                found |= *literal == c;
                i += 1;
            }
        }
    }
    (found != not).then_some(i)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs() {
        let yes = [
            ("*", ""),
            ("a*c", "abbc"),
            ("h?llo", "hello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("[a-c]x", "bx"),
            ("[c-a]x", "bx"),
            ("\\*", "*"),
            ("a\\", "a\\"),
            ("**a**", "bab"),
            ("[a", "a"),
            ("user:*:x", "user:1:x:x"),
            ("[\\]]", "]"),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("h[^e]llo", "hello"), ("a*b", "ac"), ("?", ""), ("[]]", "]")] {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(40) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(400).as_bytes()));
    }
}
