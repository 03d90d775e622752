//! Queries one sentinel.

use std::time::Duration;

use cinnabar_port::{
    Reply,
    error::{Error, Kind, Result},
};
use tokio::time::{Instant, timeout};

use super::{
    super::{dial::Dialler, endpoint::Endpoint, resp::Commands},
    Sentinels,
};
use crate::settings::Address;

/// A primary as one sentinel sees it.
pub struct Named {
    pub endpoint: Endpoint,
    /// The number of the fail-over that promoted it; 0 if the sentinel does not report it.
    pub epoch: u64,
    /// The other sentinels.
    pub others: Vec<Address>,
}

/// Queries one sentinel; returns `None` if it does not know the name.
pub async fn query(
    sentinels: &Sentinels,
    dialler: &Dialler,
    address: &Address,
    limit: Duration,
) -> Result<Option<Named>> {
    let asked = async {
        let endpoint = Endpoint::Tcp(address.clone());
        let mut stream = dialler.open(&endpoint, &sentinels.login(), Instant::now() + limit).await?;
        let mut commands = Commands::default();
        for question in [&b"GET-MASTER-ADDR-BY-NAME"[..], b"MASTER", b"SENTINELS"] {
            commands.push_words(&[b"SENTINEL", question, sentinels.name.as_bytes()]);
        }
        stream.send(commands).await?;
        let endpoint = stream.receive().await??;
        // A sentinel where the user may only query the address can be used too.
        let (primary, others) = (stream.receive().await?, stream.receive().await?);
        let epoch = primary.ok().and_then(|about| field(&about, b"config-epoch")?.parse().ok()).unwrap_or(0);
        let others = others.and_then(Reply::array).unwrap_or_default().iter().filter_map(address_of).collect();
        endpoint_of(endpoint).map(|endpoint| endpoint.map(|endpoint| Named { endpoint, epoch, others }))
    };
    match timeout(limit, asked).await {
        Ok(Ok(named)) => Ok(named),
        Ok(Err(error)) => {
            let kind = if error.kind == Kind::Auth { Kind::Auth } else { Kind::Unavailable };
            Err(Error::new(kind, format!("{address} replied: {}", error.message())).with_source(error))
        }
        Err(_) => Err(Error::new(Kind::Unavailable, format!("{address} did not reply within {limit:?}"))),
    }
}

fn endpoint_of(reply: Reply) -> Result<Option<Endpoint>> {
    if reply == Reply::Nil {
        return Ok(None);
    }
    let [host, port] = reply.tuple()?;
    let host = String::from_utf8_lossy(&host.bulk()?.unwrap_or_default()).into_owned();
    let port = port.int()?;
    let port = u16::try_from(port)
        .map_err(|_| Error::new(Kind::InvalidData, format!("a sentinel returned the invalid port {port}")))?;
    Ok(Some(Endpoint::Tcp(Address { host, port })))
}

fn address_of(about: &Reply) -> Option<Address> {
    Some(Address { host: field(about, b"ip")?.into(), port: field(about, b"port")?.parse().ok()? })
}

/// Returns the value of a field in a list of names and values.
fn field<'a>(about: &'a Reply, name: &[u8]) -> Option<&'a str> {
    let Reply::Array(items) = about else { return None };
    items.chunks_exact(2).find_map(|pair| match pair {
        [Reply::Bulk(key), Reply::Bulk(value)] if key == name => std::str::from_utf8(value).ok(),
        _ => None,
    })
}
