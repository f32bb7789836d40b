//! A request as a component sees it, of what its host has read.

use crate::outbound::{is_forbidden, is_loop_field, loop_depth};
use crate::slice;
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use wasmtime::{Result, format_err};
use wasmtime_wasi_http::WasiBody;

#[repr(C)]
pub struct Text {
    data: *const u8,
    size: usize,
}

impl Text {
    /// # Safety
    /// The bytes outlive the result.
    pub unsafe fn bytes<'a>(&self) -> &'a [u8] {
        unsafe { slice(self.data, self.size) }
    }
}

#[repr(C)]
pub struct Field {
    name: Text,
    value: Text,
}

#[repr(C)]
pub struct Head {
    pub method: Text,
    pub scheme: Text,
    authority: Text,
    path_with_query: Text,
    fields: *const Field,
    field_count: usize,
    pub has_body: bool,
}

/// `depth` counts how often the request has passed this server.
pub fn request_of(head: &Head, body: WasiBody, depth: &mut usize) -> Result<Request<WasiBody>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(unsafe { head.method.bytes() })?;
    *request.uri_mut() = uri_of(head)?;
    let fields = unsafe { slice(head.fields, head.field_count) };
    let headers = headers_of(fields, depth);
    *request.headers_mut() = headers?;
    Ok(request)
}

pub fn headers_of(fields: &[Field], depth: &mut usize) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(unsafe { field.name.bytes() })?;
        let value = unsafe { field.value.bytes() };
        if is_forbidden(&name) {
            if is_loop_field(&name) {
                *depth += loop_depth(value);
            }
            continue;
        }
        headers.append(name, HeaderValue::from_bytes(value)?);
    }
    Ok(headers)
}

fn uri_of(head: &Head) -> Result<Uri> {
    let (scheme, authority, path) =
        unsafe { (head.scheme.bytes(), head.authority.bytes(), head.path_with_query.bytes()) };
    let mut text = BytesMut::with_capacity(scheme.len() + 3 + authority.len() + path.len());
    text.extend_from_slice(scheme);
    text.extend_from_slice(b"://");
    // HTTP/1.0 may name no host.
    let authority = if authority.is_empty() { b"localhost" } else { authority };
    text.extend_from_slice(authority);
    text.extend_from_slice(path);
    if let Ok(uri) = Uri::from_maybe_shared(text.freeze()) {
        return Ok(uri);
    }
    // A target may hold what a URI may not; there it is spelled in hexadecimal.
    let mut spelled = String::new();
    for byte in path {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(byte) {
            spelled.push(char::from(*byte));
        } else {
            spelled.push_str(&format!("%{byte:02X}"));
        }
    }
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(spelled)
        .build()
        .map_err(|error| format_err!("the request's target: {error}"))
}
