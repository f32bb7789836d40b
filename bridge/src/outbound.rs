//! Requests that components send: to whom they may, and how.

use crate::files::runtime;
use crate::outbound_body::{Bounded, Timed};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

/// Pieces of a body that a guest writes at once at the most; two of them may wait for the reader.
/// `FB_RESPONSE_BUFFER_BYTES` is both.
pub const PIECE_BYTES_MAX: usize = 64 << 10;
/// Functions that call each other through this server, one after the other, at the most.
pub const CALL_DEPTH_MAX: usize = 16;
/// Requests of one run that are under way at once, each on a connection of its own: descriptors are
/// everybody's.
const SENDING_MAX: usize = 64;
/// RFC 8586: each pass through this server adds its name.
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");
const LOOP_NAME: &str = "funcd";
/// Where neither the guest nor the invocation's deadline says less.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// One place that may be sent requests.
pub struct Rule {
    is_https: bool,
    port: u16,
    host: Host,
}

enum Host {
    Any,
    /// ".example.com": every name that ends so.
    Below(String),
    Name(String),
    Address(IpAddr),
}

impl Rule {
    pub fn new(is_https: bool, host: &str, port: u16) -> Rule {
        let host = match host.parse::<IpAddr>() {
            Ok(address) => Host::Address(address.to_canonical()),
            Err(_) if host == "*" => Host::Any,
            Err(_) => match host.strip_prefix('*') {
                Some(below) => Host::Below(below.to_owned()),
                None => Host::Name(host.to_owned()),
            },
        };
        Rule { is_https, port, host }
    }

    fn allows(&self, is_https: bool, host: &str, port: u16) -> bool {
        if self.is_https != is_https || self.port != port {
            return false;
        }
        match &self.host {
            Host::Any => true,
            Host::Below(ending) => host.len() > ending.len() && host.ends_with(ending.as_str()),
            Host::Name(name) => name == host,
            Host::Address(address) => {
                host.parse::<IpAddr>().is_ok_and(|named| named.to_canonical() == *address)
            }
        }
    }

    /// Whether what the name has resolved to may be connected to: an address of the public network,
    /// or the one that the rule itself names.
    fn reaches(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match &self.host {
            Host::Address(named) => *named == address,
            Host::Name(name) if name == "localhost" => address.is_loopback(),
            _ => is_public(address),
        }
    }
}

/// Whether an address is one of the public network: neither private, loopback, link-local, nor of
/// any other block that is set apart (RFC 6890 and its registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol = a == 192 && b == 0 && c == 0;
    let is_benchmark = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_protocol
        || is_benchmark
        // Multicast, reserved, broadcast.
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    let second = address.segments()[1];
    // All that is routed lies in 2000::/3; parts of it carry an IPv4 address, or nothing at all.
    let is_global = first & 0xe000 == 0x2000;
    let is_teredo_or_protocol = first == 0x2001 && second < 0x0200;
    let is_6to4 = first == 0x2002;
    let is_documentation = (first == 0x2001 && second == 0x0db8) || first & 0xfff0 == 0x3ff0;
    is_global && !is_teredo_or_protocol && !is_6to4 && !is_documentation
}

/// Whom a component may send requests to.
pub struct Policy {
    pub rules: Vec<Rule>,
    pub request_bytes_max: u64,
    pub response_bytes_max: u64,
    pub connect_timeout: Duration,
}

/// What Wasmtime's wasi:http asks of its host.
pub struct Hooks {
    policy: Option<Arc<Policy>>,
    /// How often this server's name is in the request's own cdn-loop.
    pub depth: usize,
    /// Held by each request that is sent, and by the body of its response.
    sending: Arc<()>,
}

impl Hooks {
    pub fn new(policy: Option<Arc<Policy>>) -> Hooks {
        Hooks { policy, depth: 0, sending: Arc::default() }
    }

    /// For another guest, when nothing of the one before is under way.
    pub fn begin(&mut self, policy: Option<Arc<Policy>>) {
        self.policy = policy;
        self.depth = 0;
    }

    /// Whether the guest has a request under way, or a response in hand.
    pub fn is_sending(&self) -> bool {
        Arc::strong_count(&self.sending) > 1
    }
}

/// Fields that belong to a connection or to the server, and never to a guest.
pub fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || *name == header::TE
        || *name == header::TRAILER
        || *name == CDN_LOOP
}

/// How often this server's name is in a value of cdn-loop.
pub fn loop_depth(value: &[u8]) -> usize {
    let names = value.split(|byte| *byte == b',').map(|item| item.trim_ascii());
    names.filter(|name| *name == LOOP_NAME.as_bytes()).count()
}

pub fn is_loop_field(name: &HeaderName) -> bool {
    *name == CDN_LOOP
}

type Answer = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        static FILTER: OnceLock<ForbiddenHeaderFilter> = OnceLock::new();
        FILTER.get_or_init(|| Arc::new(is_forbidden)).clone()
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, Error>> + Send> {
        if self.depth >= CALL_DEPTH_MAX {
            return Box::new(async { Err(Error::LoopDetected) });
        }
        let passes = [LOOP_NAME; CALL_DEPTH_MAX][..=self.depth].join(", ");
        let passes = HeaderValue::from_str(&passes).expect("names and commas");
        request.headers_mut().insert(CDN_LOOP, passes);
        let Some(policy) = self.policy.clone() else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        if Arc::strong_count(&self.sending) > SENDING_MAX {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        }
        // On threads of its own: neither resolver nor TLS takes the worker's time.
        let sending =
            Spawned(runtime().spawn(send(policy, request, options, self.sending.clone())));
        Box::new(async move {
            let (response, connection) = sending.await?;
            let io: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(connection);
            Ok((response, io))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE_BYTES_MAX
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE_BYTES_MAX
    }
}

/// A task of the runtime that ends with its handle.
struct Spawned<T>(JoinHandle<T>);

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Future for Spawned<Result<T, Error>> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(joined.unwrap_or(Err(Error::ConnectionTerminated)))
    }
}

async fn send(
    policy: Arc<Policy>,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
    sending: Arc<()>,
) -> Result<(Response<WasiBody>, Spawned<Result<(), Error>>), Error> {
    let target = Target::of(request.uri())?;
    let options = options.unwrap_or_default();
    let connect_timeout =
        options.connect_timeout.unwrap_or(policy.connect_timeout).min(policy.connect_timeout);
    let stream = timeout(connect_timeout, connect(&policy, &target))
        .await
        .map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(hyper_error)?;
    let connection = Spawned(runtime().spawn(async move { connection.await.map_err(hyper_error) }));

    let request = prepared(request, policy.request_bytes_max)?;
    let answer_timeout = options.first_byte_timeout.unwrap_or(ANSWER_TIMEOUT).min(ANSWER_TIMEOUT);
    let response = timeout(answer_timeout, sender.send_request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(hyper_error)?;
    let response_bytes_max = policy.response_bytes_max;
    let between = options.between_bytes_timeout.unwrap_or(ANSWER_TIMEOUT).min(ANSWER_TIMEOUT);
    let response = response.map(|body| {
        let body = Bounded::new(body.map_err(hyper_error), response_bytes_max, |max| {
            Error::HttpResponseBodySize(Some(max))
        });
        Timed::new(body, between, sending).boxed_unsync()
    });
    Ok((response, connection))
}

/// Whom a request is for.
struct Target {
    is_https: bool,
    /// Lower case, an address without brackets.
    host: String,
    port: u16,
}

impl Target {
    fn of(uri: &Uri) -> Result<Target, Error> {
        let is_https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(Error::HttpProtocolError),
        };
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        if authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(Error::HttpRequestUriInvalid);
        }
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Ok(Target { is_https, host: host.to_ascii_lowercase(), port })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to an address that was checked, not to a name that could resolve to another one by then.
async fn connect(policy: &Policy, target: &Target) -> Result<Box<dyn Stream>, Error> {
    let rules = policy
        .rules
        .iter()
        .filter(|rule| rule.allows(target.is_https, &target.host, target.port))
        .collect::<Vec<_>>();
    if rules.is_empty() {
        return Err(Error::HttpRequestDenied);
    }
    let resolved = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|_| Error::DnsError { rcode: None, info_code: None })?
        .collect::<Vec<_>>();
    if resolved.is_empty() {
        return Err(Error::DnsError { rcode: None, info_code: None });
    }
    let allowed = resolved
        .into_iter()
        .filter(|address| rules.iter().any(|rule| rule.reaches(address.ip())))
        .collect::<Vec<_>>();
    if allowed.is_empty() {
        return Err(Error::DestinationIpProhibited);
    }
    let stream = connect_to_any(&allowed).await.map_err(connect_error)?;
    let _ = stream.set_nodelay(true);
    if target.is_https { secure(stream, &target.host).await } else { Ok(Box::new(stream)) }
}

async fn connect_to_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn secure(stream: TcpStream, host: &str) -> Result<Box<dyn Stream>, Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        Arc::new(
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring serves the default versions")
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    });
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::HttpRequestUriInvalid)?;
    let connector = TlsConnector::from(config.clone());
    Ok(Box::new(connector.connect(name, stream).await.map_err(tls_error)?))
}

/// The request as it goes to the server itself rather than to a proxy.
fn prepared(
    mut request: Request<WasiBody>,
    bytes_max: u64,
) -> Result<Request<Bounded<WasiBody>>, Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.is_empty() { "/" } else { path };
    let authority = request.uri().authority().expect("was looked at").as_str();
    let host = HeaderValue::from_str(authority).map_err(|_| Error::HttpRequestUriInvalid)?;
    let uri = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().insert(header::HOST, host);
    *request.uri_mut() = uri;
    Ok(request
        .map(|body| Bounded::new(body, bytes_max, |max| Error::HttpRequestBodySize(Some(max)))))
}

fn connect_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Error::DestinationIpUnroutable
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Error::ConnectionTerminated
        }
        _ => Error::DestinationUnavailable,
    }
}

fn tls_error(error: io::Error) -> Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}

fn hyper_error(error: hyper::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(inner) = cause {
        // Of the request's body: what the guest or its client has done.
        match inner.downcast_ref::<Error>() {
            Some(Error::HttpRequestBodySize(size)) => return Error::HttpRequestBodySize(*size),
            Some(_) => return Error::HttpProtocolError,
            None => cause = inner.source(),
        }
    }
    if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_incomplete_message() || error.is_body_write_aborted() {
        Error::HttpResponseIncomplete
    } else if error.is_closed() || error.is_canceled() {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}
