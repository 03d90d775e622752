//! Authenticates a connection and selects its database.

use cinnabar_port::error::{Error, Kind, Result, ServerCode};

use super::{native::stream::Stream, resp::Commands};

/// The credentials and database of a connection.
pub struct Login<'a> {
    pub username: Option<&'a str>,
    pub password: Option<&'a str>,
    pub database: u8,
}

/// The commands sent before the first call.
enum Step {
    Auth,
    Select(u8),
    Ping,
}

/// Authenticates, selects the database and sends a PING, in one round trip.
pub async fn log_in(stream: &mut Stream, login: &Login<'_>) -> Result<()> {
    let (mut commands, mut steps) = (Commands::default(), Vec::with_capacity(3));
    let username = login.username.unwrap_or_default().as_bytes();
    let password = login.password.unwrap_or_default().as_bytes();
    if !username.is_empty() && (!password.is_empty() || username != b"default") {
        // For a user without a password, the server accepts any password.
        commands.push_words(&[b"AUTH", username, password]);
        steps.push(Step::Auth);
    } else if !password.is_empty() {
        commands.push_words(&[b"AUTH", password]);
        steps.push(Step::Auth);
    }
    if login.database != 0 {
        commands.push_words(&[b"SELECT", login.database.to_string().as_bytes()]);
        steps.push(Step::Select(login.database));
    }
    commands.push_words(&[b"PING"]);
    steps.push(Step::Ping);
    stream.send(commands).await?;
    for step in steps {
        if let Err(error) = stream.receive().await? {
            step_failed(step, error)?;
        }
    }
    Ok(())
}

/// Interprets an error reply. Its kind depends on its text rather than on the command that got it.
fn step_failed(step: Step, error: Error) -> Result<()> {
    if error.is_unavailable() || is_limit(&error) {
        return Err(Error::new(Kind::Unavailable, error.message().to_owned()).because_of(&error));
    }
    match step {
        Step::Auth if error.kind == Kind::Auth || !error.is_specific() => {
            Err(Error::new(Kind::Auth, rejected_login(&error)).because_of(&error))
        }
        // The text may repeat the credentials.
        Step::Auth => Err(Error::new(
            Kind::Unavailable,
            format!("the server refused the connection ({})", error.code_word().unwrap_or_default()),
        )
        .because_of(&error)),
        Step::Select(database) if error.kind == Kind::Server && !error.is_specific() => {
            let words = format!("database {database} cannot be selected: {}", error.message());
            Err(Error::new(Kind::Unsupported, words).because_of(&error))
        }
        // An error reply to the PING shows that the server is up.
        Step::Ping if proves_server_is_up(&error) => Ok(()),
        Step::Select(_) | Step::Ping => Err(error),
    }
}

/// Whether this error reply to a PING still shows that the server is up and has authenticated us: the user may lack permission,
/// or a proxy may not support the command.
pub fn proves_server_is_up(error: &Error) -> bool {
    error.has_code(ServerCode::NoPerm) || error.has_code(ServerCode::UnknownCommand)
}

/// Whether a gateway reports that it, or the server behind it, accepts no more clients at the moment.
fn is_limit(error: &Error) -> bool {
    const SIGNS: [&str; 8] =
        ["max number of", "too many", "limit", "quota", "upstream", "backend", "unavailable", "try again"];
    let said = error.message().to_ascii_lowercase();
    error.code().is_some_and(ServerCode::is_general) && SIGNS.iter().any(|sign| said.contains(sign))
}

/// Why the server rejected the credentials. Only its error code is included, since its text may repeat the credentials.
fn rejected_login(error: &Error) -> String {
    let code = error.code_word().unwrap_or("no code");
    let why = match error.code() {
        Some(ServerCode::NoPassword) => "the server has no password configured for this user",
        Some(ServerCode::UnknownCommand) => {
            "the server does not support AUTH, so it accepts neither a user name nor a password"
        }
        Some(ServerCode::WrongArity) => "the server accepts a password only, without a user name",
        _ => "the server rejected the user name or password",
    };
    format!("{why} ({code})")
}
