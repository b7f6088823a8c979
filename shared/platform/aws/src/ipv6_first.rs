use std::net::IpAddr;

use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    dns::{DnsFuture, ResolveDns, ResolveDnsError},
    http::SharedHttpClient,
};
use tokio::net::lookup_host;

/// Resolves names as the system does, and has IPv6 addresses tried first.
///
/// The client connects to addresses of the family that comes first, and begins with the other one after 300 ms, or when
/// all of them have failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv6First;

impl ResolveDns for Ipv6First {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(sorted(found.map(|address| address.ip()).collect()))
        })
    }
}

/// As the SDK's own, but for its names, and for proxies.
pub(crate) fn http_client(names: impl ResolveDns + Clone + 'static) -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_with_resolver(names)
}

/// Within a family the system's order stays: it knows which address is near.
fn sorted(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_by_key(IpAddr::is_ipv4);
    addresses
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::{Ipv4Addr, Ipv6Addr},
    };

    use aws_config::Region;
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use aws_sdk_dynamodb::Client;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::bounded;

    const IPV4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const IPV6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    /// Knows this machine by both addresses, the old one first.
    #[derive(Debug, Clone)]
    struct ThisMachine;

    impl ResolveDns for ThisMachine {
        fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
            DnsFuture::ready(Ok(sorted(vec![IPV4, IPV6])))
        }
    }

    /// A call to a name that has both addresses.
    async fn call(port: u16) -> bool {
        let config = bounded()
            .into_builder()
            .region(Region::from_static("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .endpoint_url(format!("http://both.test:{port}"))
            .http_client(http_client(ThisMachine))
            .build();
        Client::new(&config).list_tables().send().await.is_ok()
    }

    /// Answers one request; the family by which it came.
    async fn serve(listener: &TcpListener) -> io::Result<IpAddr> {
        let (mut connection, _) = listener.accept().await?;
        let _ = connection.read(&mut [0; 4_096]).await?;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await?;
        Ok(connection.local_addr()?.ip())
    }

    #[test]
    fn ipv6_comes_first_and_the_rest_stays_as_it_is() {
        let [a, b] = ["192.0.2.2", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        let [c, d] = ["2001:db8::2", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        assert_eq!(sorted(vec![a, c, b, d]), [c, d, a, b]);
        assert_eq!(sorted(vec![a, b]), [a, b]);
    }

    #[tokio::test]
    async fn names_are_resolved_as_the_system_does() {
        let found = Ipv6First.resolve_dns("localhost").await.unwrap();
        assert!(found.contains(&IPV4) || found.contains(&IPV6), "{found:?}");
        assert!(Ipv6First.resolve_dns("\0").await.is_err());
    }

    #[tokio::test]
    async fn a_server_that_listens_on_both_is_reached_over_ipv6() {
        let Ok(ipv6) = TcpListener::bind((IPV6, 0)).await else {
            eprintln!("skipped: this machine has no IPv6");
            return;
        };
        let port = ipv6.local_addr().unwrap().port();
        let ipv4 = TcpListener::bind((IPV4, port)).await.unwrap();
        let reached = async {
            tokio::select! { ip = serve(&ipv4) => ip, ip = serve(&ipv6) => ip }
        };
        let (answered, reached) = tokio::join!(call(port), reached);
        assert!(answered);
        assert_eq!(reached.unwrap(), IPV6);
    }

    #[tokio::test]
    async fn where_nothing_answers_over_ipv6_ipv4_is_used() {
        let ipv4 = TcpListener::bind((IPV4, 0)).await.unwrap();
        let port = ipv4.local_addr().unwrap().port();
        let (answered, reached) = tokio::join!(call(port), serve(&ipv4));
        assert!(answered);
        assert_eq!(reached.unwrap(), IPV4);
    }
}
