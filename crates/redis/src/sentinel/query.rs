//! What one sentinel says.

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
    pub place: Endpoint,
    /// The number of the fail-over that made it one. 0 where the sentinel does not tell.
    pub epoch: u64,
    /// The other sentinels.
    pub others: Vec<Address>,
}

/// Asks one sentinel; nothing when it does not know the name.
pub async fn ask(
    sentinels: &Sentinels,
    dialler: &Dialler,
    address: &Address,
    limit: Duration,
) -> Result<Option<Named>> {
    let asked = async {
        let place = Endpoint::Tcp(address.clone());
        let mut stream = dialler.open(&place, &sentinels.login(), Instant::now() + limit).await?;
        let mut commands = Commands::default();
        for question in [&b"GET-MASTER-ADDR-BY-NAME"[..], b"MASTER", b"SENTINELS"] {
            commands.push_words(&[b"SENTINEL", question, sentinels.name.as_bytes()]);
        }
        stream.send(commands).await?;
        let place = stream.receive().await??;
        // A sentinel whose user may ask for the address only is as good for it.
        let (primary, others) = (stream.receive().await?, stream.receive().await?);
        let epoch = primary.ok().and_then(|about| field(&about, b"config-epoch")?.parse().ok()).unwrap_or(0);
        let others = others.and_then(Reply::array).unwrap_or_default().iter().filter_map(address_of).collect();
        place_of(place).map(|place| place.map(|place| Named { place, epoch, others }))
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

fn place_of(reply: Reply) -> Result<Option<Endpoint>> {
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

/// One of the values that stand behind their names in a list.
fn field<'a>(about: &'a Reply, name: &[u8]) -> Option<&'a str> {
    let Reply::Array(items) = about else { return None };
    items.chunks_exact(2).find_map(|pair| match pair {
        [Reply::Bulk(key), Reply::Bulk(value)] if key == name => std::str::from_utf8(value).ok(),
        _ => None,
    })
}
