//! The `wasi-http` contract, by the bindings of crate `wasip2`: a component that answers by the last
//! part of the path, and shows what becomes of functions that fail.
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::StreamError;

struct Function;
wasip2::http::proxy::export!(Function);

const PIECE_BYTES: u64 = 16 * 1024;

impl Guest for Function {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "echo" => echo(&request, out),
            "headers" => headers(&request, out),
            "fail" => panic!("this function fails"),
            "loop" => spin(),
            "eat" => eat(),
            _ => answer(out, 200, Fields::new(), b"hello"),
        }
    }
}

fn answer(out: ResponseOutparam, status: u16, fields: Fields, text: &[u8]) {
    fields.append("content-type", b"text/plain").expect("a field");
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).expect("a status");
    let body = response.body().expect("the first call");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the first call");
    stream.blocking_write_and_flush(text).expect("a client that listens");
    drop(stream);
    OutgoingBody::finish(body, None).expect("a whole body");
}

/// What comes in goes out, piece by piece.
fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the first call");
    ResponseOutparam::set(out, Ok(response));
    let incoming = request.consume().expect("the first call");
    let (input, output) = (incoming.stream().expect("one"), body.write().expect("one"));
    // A piece is at most what blocking_write_and_flush() takes, 4 KiB, times four.
    loop {
        match input.blocking_read(PIECE_BYTES) {
            Ok(piece) => {
                for part in piece.chunks(4096) {
                    output.blocking_write_and_flush(part).expect("a client that listens");
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => panic!("{}", error.to_debug_string()),
        }
    }
    drop((input, output));
    OutgoingBody::finish(body, None).expect("a whole body");
}

/// Each value of the field `x-name`, in a field of the response; status 203.
fn headers(request: &IncomingRequest, out: ResponseOutparam) {
    let fields = Fields::new();
    for value in request.headers().get("x-name") {
        fields.append("x-seen", &value).expect("a field");
    }
    answer(out, 203, fields, b"seen");
}

fn spin() {
    let mut count = 0u64;
    while std::hint::black_box(true) {
        count = count.wrapping_add(1);
    }
    println!("{count}");
}

fn eat() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1u8; 1 << 20]);
    }
}
