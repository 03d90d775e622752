//! Reads options by name, with their full names in error messages. The readers are the table of options too: a reader without an
//! object lists what would be read (`rows`), so the names, types, bounds and defaults of options are written once.

use std::{
    borrow::Cow,
    cell::RefCell,
    ffi::CStr,
    fmt::{Display, Formatter},
    ops::RangeInclusive,
    time::Duration,
};

use cinnabar_core::features::MAX_TTL_SECONDS;
use cinnabar_port::error::{Error, Result};
use napi::sys::ValueType;

use super::{
    args::{LONGEST_MS, SECONDS},
    node_api::{Js, Value},
};

/// Any time that an option may be set to, in milliseconds.
pub const ANY_TIME: RangeInclusive<u64> = 1..=LONGEST_MS;

/// An object of options.
#[derive(Clone, Copy)]
pub struct OptionReader<'a> {
    source: Source<'a>,
    /// The options that it is nested in, from the top level; the rest are empty.
    within: [&'static CStr; 3],
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// An object, or `undefined`.
    Object(Js, Value),
    /// No object, so that no option is set: what would be read is listed.
    Table(&'a RefCell<Vec<Row>>),
}

/// An option in the table.
#[derive(Debug)]
pub struct Row {
    /// Its name, such as `tls.ca`.
    pub path: String,
    /// What it takes.
    pub takes: Takes,
}

/// What an option takes.
#[derive(Debug, Clone)]
pub struct Takes {
    /// Its type in words.
    pub what: Cow<'static, str>,
    /// The least and the most.
    pub bounds: Option<(Least, f64)>,
    /// What it is if it is not set; `None` if that depends on something else.
    pub default: Option<Literal>,
}

/// The lower bound of a number.
#[derive(Debug, Clone, Copy)]
pub enum Least {
    /// It may be that.
    From(f64),
    /// It must be more.
    Above(f64),
}

/// A value as JavaScript writes it.
#[derive(Debug, Clone, Copy)]
pub enum Literal {
    /// `10`.
    Number(f64),
    /// `'word'`.
    Word(&'static str),
    /// `true`.
    Flag(bool),
}

/// An option that is an object of options, or something shorter.
pub enum Given<'a, T> {
    /// Something shorter.
    Short(T),
    /// An object of options.
    Group(OptionReader<'a>),
}

/// Lists the options that a reader reads, in this order.
pub fn rows<T>(read: impl FnOnce(OptionReader) -> Result<T>) -> Vec<Row> {
    let rows = RefCell::new(Vec::new());
    // Required options are missing, which is found when all have been read.
    let _ = read(OptionReader { source: Source::Table(&rows), within: [c""; 3] });
    rows.into_inner()
}

impl<'a> OptionReader<'a> {
    /// Returns a reader for the top level of options.
    pub fn of(js: Js, object: Value) -> Self {
        Self { source: Source::Object(js, object), within: [c""; 3] }
    }

    /// Returns a reader for the argument `options`, with `options.` before names.
    pub fn of_argument(js: Js, object: Value) -> Self {
        Self::of(js, object).inside(c"options", Source::Object(js, object))
    }

    /// Returns the full name of an option, such as `tls.ca`.
    pub fn label_of(self, name: &'static CStr) -> Cow<'static, str> {
        let name = name.to_string_lossy();
        let outer = self.within.iter().filter(|outer| !outer.is_empty()).map(|outer| outer.to_string_lossy() + ".");
        let outer: String = outer.collect();
        if outer.is_empty() { name } else { (outer + &name).into() }
    }

    /// Returns the reader for an object that is the option of this name.
    fn inside(mut self, name: &'static CStr, source: Source<'a>) -> Self {
        if let Some(free) = self.within.iter_mut().find(|outer| outer.is_empty()) {
            *free = name;
        }
        Self { source, ..self }
    }

    fn list(self, rows: &RefCell<Vec<Row>>, name: &'static CStr, takes: Takes) {
        rows.borrow_mut().push(Row { path: self.label_of(name).into_owned(), takes });
    }

    /// Returns an option converted by `read`, if it is set.
    pub fn read<T>(
        self,
        name: &'static CStr,
        takes: Takes,
        read: impl FnOnce(Js, Value, &str) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.source {
            Source::Object(js, object) => {
                js.option(object, name)?.map(|value| read(js, value, &self.label_of(name))).transpose()
            }
            Source::Table(rows) => {
                self.list(rows, name, takes);
                Ok(None)
            }
        }
    }

    /// Returns an option that is a string.
    pub fn text(self, name: &'static CStr, default: Option<&'static str>) -> Result<Option<String>> {
        self.read(name, Takes::a("a string").or(default.map(Literal::Word)), Js::text)
    }

    /// Returns an option that is one of these words.
    pub fn word<T: Copy + PartialEq, const N: usize>(
        self,
        name: &'static CStr,
        words: [(&'static str, T); N],
        default: Option<T>,
    ) -> Result<Option<T>> {
        let wanted = || {
            let mut quoted = words.map(|(word, _)| format!("'{word}'")).to_vec();
            let last = quoted.pop().unwrap_or_default();
            format!("{} or {last}", quoted.join(", "))
        };
        if let Source::Table(rows) = self.source {
            let default = words.iter().find(|(_, meaning)| Some(*meaning) == default);
            let default = default.map(|(word, _)| Literal::Word(word));
            self.list(rows, name, Takes { what: wanted().into(), bounds: None, default });
            return Ok(None);
        }
        self.read(name, Takes::a("a word"), |js, value, label| {
            let text = js.text(value, label)?;
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
            // Without the text, which may be a secret in the wrong place.
            found.ok_or_else(|| Error::argument(format!("{label} must be {}", wanted())))
        })
    }

    /// Returns an option that is one of these words, or its default.
    pub fn word_or<T: Copy + PartialEq, const N: usize>(
        self,
        name: &'static CStr,
        words: [(&'static str, T); N],
        default: T,
    ) -> Result<T> {
        Ok(self.word(name, words, Some(default))?.unwrap_or(default))
    }

    /// Returns an option that is `true` or `false`, or its default.
    pub fn flag(self, name: &'static CStr, default: bool) -> Result<bool> {
        let set = self.read(name, Takes::a("true or false").or(Some(Literal::Flag(default))), Js::flag)?;
        Ok(set.unwrap_or(default))
    }

    /// Returns an option that is an integer within bounds.
    pub fn whole<T: TryFrom<u64> + TryInto<u64>>(
        self,
        name: &'static CStr,
        range: RangeInclusive<u64>,
        default: Option<T>,
    ) -> Result<Option<T>> {
        let default = default.and_then(|number| number.try_into().ok());
        self.read(name, Takes::a("a whole number").within(&range).or_number(default), |js, value, label| {
            let number = js.whole_within(value, label, range)?;
            T::try_from(number).map_err(|_| Error::argument(format!("{label} must not be as large as {number}")))
        })
    }

    /// Returns an option that is an integer within bounds, or its default.
    pub fn whole_or<T: TryFrom<u64> + TryInto<u64> + Copy>(
        self,
        name: &'static CStr,
        range: RangeInclusive<u64>,
        default: T,
    ) -> Result<T> {
        Ok(self.whole(name, range, Some(default))?.unwrap_or(default))
    }

    /// Returns an option in milliseconds within bounds.
    pub fn time(
        self,
        name: &'static CStr,
        range: RangeInclusive<u64>,
        default: Option<Duration>,
    ) -> Result<Option<Duration>> {
        let default = default.map(|time| time.as_millis() as u64);
        let takes = Takes::a("a number of milliseconds").within(&range).or_number(default);
        self.read(name, takes, |js, value, label| js.milliseconds_within(value, label, range))
    }

    /// Returns an option in milliseconds within bounds, or its default.
    pub fn time_or(self, name: &'static CStr, range: RangeInclusive<u64>, default: Duration) -> Result<Duration> {
        Ok(self.time(name, range, Some(default))?.unwrap_or(default))
    }

    /// Returns an option in seconds, from 1 millisecond to 100 years.
    pub fn seconds(self, name: &'static CStr, default: Duration) -> Result<Option<Duration>> {
        let bounds = Some((Least::From(*SECONDS.start()), *SECONDS.end()));
        let takes = Takes { bounds, ..Takes::a("a number of seconds") };
        self.read(name, takes.or_number(Some(default.as_secs())), Js::seconds)
    }

    /// Returns an option that is a ttl in seconds, which the feature checks.
    pub fn ttl(self, name: &'static CStr, default: Option<f64>) -> Result<Option<f64>> {
        let bounds = Some((Least::Above(0.0), MAX_TTL_SECONDS));
        self.number(name, Takes { bounds, ..Takes::a("a number of seconds") }.or(default.map(Literal::Number)))
    }

    /// Returns an option that is any number; its bounds are checked elsewhere.
    pub fn number(self, name: &'static CStr, takes: Takes) -> Result<Option<f64>> {
        self.read(name, takes, Js::any_number)
    }

    /// Returns a reader for an option that is an object of options itself.
    pub fn group(self, name: &'static CStr) -> Result<Option<Self>> {
        let group = self.group_or(name, "an object", |_, _, _| Ok(None::<()>))?;
        Ok(group.and_then(|given| match given {
            Given::Group(group) => Some(group),
            Given::Short(()) => None,
        }))
    }

    /// Returns an option that is an object of options, or what `short` accepts; `wanted` names the allowed types.
    pub fn group_or<T>(
        self,
        name: &'static CStr,
        wanted: &'static str,
        short: impl FnOnce(Js, Value, &str) -> Result<Option<T>>,
    ) -> Result<Option<Given<'a, T>>> {
        if let Source::Table(rows) = self.source {
            self.list(rows, name, Takes::a(wanted));
            return Ok(Some(Given::Group(self.inside(name, self.source))));
        }
        self.read(name, Takes::a(wanted), |js, value, label| {
            if let Some(short) = short(js, value, label)? {
                return Ok(Given::Short(short));
            }
            if js.kind(value) != ValueType::napi_object || js.array_length(value).is_some() {
                return Err(js.type_error(value, label, wanted));
            }
            Ok(Given::Group(self.inside(name, Source::Object(js, value))))
        })
    }
}

impl Takes {
    /// Something without bounds and default; `what` is its type in words.
    pub const fn a(what: &'static str) -> Self {
        Self { what: Cow::Borrowed(what), bounds: None, default: None }
    }

    /// An integer within bounds.
    pub fn within(self, range: &RangeInclusive<u64>) -> Self {
        Self { bounds: Some((Least::From(*range.start() as f64), *range.end() as f64)), ..self }
    }

    /// With this default.
    pub fn or(self, default: Option<Literal>) -> Self {
        Self { default, ..self }
    }

    fn or_number(self, default: Option<u64>) -> Self {
        self.or(default.map(|number| Literal::Number(number as f64)))
    }
}

impl Display for Least {
    fn fmt(&self, to: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::From(number) => write!(to, "{number}"),
            Self::Above(number) => write!(to, ">{number}"),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, to: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(to, "{number}"),
            Self::Word(word) => write!(to, "'{word}'"),
            Self::Flag(flag) => write!(to, "{flag}"),
        }
    }
}
