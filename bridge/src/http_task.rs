//! One request to a component, polled by the host.

use crate::alarm::{Alarm, BodyAlarm, Phase};
use crate::answer::{Answer, Outparam, Slot};
use crate::component::{ComponentGuest, HOSTCALL_BYTES_MAX, Role};
use crate::files::runtime;
use crate::host::GuestPointer;
use crate::http_body::{Inbox, Piece, RequestBody, ResponseBody};
use crate::http_request::{Field, Head, headers_of, request_of};
use crate::program::{Code, Program};
use crate::surroundings::Shared;
use crate::task::{Ending, HostWaker, Limiter, Limits, Usage, describe};
use crate::{Bytes, give, slice};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use std::ffi::{c_char, c_void};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasmtime::{Result, Store, UpdateDeadline, bail};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

const DONE: i32 = 0;
const RUNNABLE: i32 = 1;
const WAITING: i32 = 2;

const PENDING: i32 = 0;
const HEAD: i32 = 1;
const ERROR_CODE: i32 = 2;
const DROPPED: i32 = 3;
const NONE: i32 = 4;

const MORE: i32 = 0;
const END: i32 = 1;
const BROKEN: i32 = 2;

const TOO_LARGE: i32 = 0;
const TIMED_OUT: i32 = 1;
const MALFORMED: i32 = 2;

type Run = Pin<Box<dyn Future<Output = (Result<()>, Store<ComponentGuest>)>>>;

/// `fb_http_task`.
pub struct HttpTask {
    run: Option<Run>,
    alarm: Arc<Alarm>,
    run_waker: Waker,
    body_waker: Option<Waker>,
    inbox: Option<Arc<Inbox>>,
    slot: Slot,
    /// Of an answer that is a response, until the host takes it.
    head: Option<(StatusCode, HeaderMap)>,
    body: Option<ResponseBody>,
    is_head_request: bool,
}

impl HttpTask {
    fn body_waker(&mut self) -> &Waker {
        let alarm = &self.alarm;
        self.body_waker.get_or_insert_with(|| Arc::new(BodyAlarm(alarm.clone())).into())
    }

    /// Takes the answer apart once it is there.
    fn look_at_answer(&mut self) {
        if self.body.is_some() {
            return;
        }
        let mut answer = self.slot.answer();
        if !matches!(*answer, Answer::Response(_)) {
            return;
        }
        let Answer::Response(response) = std::mem::replace(&mut *answer, Answer::Pending) else {
            unreachable!("was looked at");
        };
        drop(answer);
        let (parts, body) = response.into_parts();
        let headers = parts.headers;
        let declared = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        let is_bodiless = self.is_head_request
            || parts.status == StatusCode::NO_CONTENT
            || parts.status == StatusCode::NOT_MODIFIED;
        self.body = Some(ResponseBody::new(body, declared, is_bodiless));
        self.head = Some((parts.status, headers));
    }

    /// The run is over, the guest is not gone yet.
    fn settle(&mut self, is_good: bool) {
        self.look_at_answer();
        self.slot.replace_pending(Answer::None);
        if !is_good && let Some(body) = &mut self.body {
            body.cut();
        }
    }
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_task_new(
    program: &'static Program,
    head: &Head,
    guest: *mut c_void,
    limits: &Limits,
    usage: *mut Usage,
    surroundings: Option<&Shared>,
    waker: Option<&HostWaker>,
    error: &mut Bytes,
) -> Option<Box<HttpTask>> {
    let alarm = Arc::new(Alarm::new(waker.copied()));
    let mut task = Box::new(HttpTask {
        run: None,
        run_waker: alarm.clone().into(),
        alarm,
        body_waker: None,
        inbox: None,
        slot: Slot::default(),
        head: None,
        body: None,
        is_head_request: unsafe { head.method.bytes() } == b"HEAD",
    });
    let limiter = Limiter::new(*limits, usage);
    let begun = begin(&mut task, program, head, GuestPointer(guest), limiter, surroundings);
    give(begun, error)?;
    Some(task)
}

fn begin(
    task: &mut HttpTask,
    program: &'static Program,
    head: &Head,
    pointer: GuestPointer,
    limiter: Limiter,
    surroundings: Option<&Shared>,
) -> Result<()> {
    let Code::Component(component) = &program.code else {
        bail!("it is a module, not a component");
    };
    let surroundings = surroundings.map(|shared| shared.0.clone()).unwrap_or_default();
    let wasi = if surroundings.has_mounts() {
        Some(Box::new(surroundings.context(program.host, pointer)?))
    } else {
        None
    };
    let mut guest = ComponentGuest::new(pointer, program.host, limiter, surroundings, wasi);
    let body = if head.has_body {
        let inbox = Arc::new(Inbox::default());
        task.inbox = Some(inbox.clone());
        let host = task.body_waker().clone();
        RequestBody { inbox, host }.boxed_unsync()
    } else {
        Empty::new().map_err(|never| match never {}).boxed_unsync()
    };
    let request = request_of(head, body, &mut guest.hooks.depth)?;
    let scheme =
        if unsafe { head.scheme.bytes() } == b"https" { Scheme::Https } else { Scheme::Http };
    let slot = task.slot.clone();
    task.run = Some(match &component.role {
        Role::Http2(pre) => Box::pin(run(program, guest, async move |store| {
            answer_2(store, pre, scheme, request, slot).await
        })),
        Role::Http3(pre) => Box::pin(run(program, guest, async move |store| {
            answer_3(store, pre, request, slot).await
        })),
        Role::Command(_) | Role::Other => bail!("it answers no HTTP requests"),
    });
    Ok(())
}

/// A fresh store for one run, which outlives what happens in it.
pub async fn run(
    program: &'static Program,
    guest: ComponentGuest,
    body: impl AsyncFnOnce(&mut Store<ComponentGuest>) -> Result<()>,
) -> (Result<()>, Store<ComponentGuest>) {
    let mut store = Store::new(&program.engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    let on_epoch = program.host.on_epoch;
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |context| {
        if unsafe { on_epoch(context.data().pointer.0) } {
            Err(crate::host::stopped())
        } else {
            Ok(UpdateDeadline::Yield(1))
        }
    });
    let result = body(&mut store).await;
    (result, store)
}

async fn answer_2(
    store: &mut Store<ComponentGuest>,
    pre: &ProxyPre<ComponentGuest>,
    scheme: Scheme,
    request: Request<WasiBody>,
    slot: Slot,
) -> Result<()> {
    let proxy = pre.instantiate_async(&mut *store).await?;
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let out = Outparam(slot);
    let out = store
        .data_mut()
        .http()
        .new_response_outparam_from_callback(move |answer| out.0.give(answer))?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

/// How the sending of a message has gone, once that is known.
type Sent = Pin<Box<dyn Future<Output = std::result::Result<(), Error>> + Send>>;

async fn answer_3(
    store: &mut Store<ComponentGuest>,
    pre: &ServicePre<ComponentGuest>,
    request: Request<WasiBody>,
    slot: Slot,
) -> Result<()> {
    use wasmtime_wasi_http::p3;
    let service = pre.instantiate_async(&mut *store).await?;
    store
        .run_concurrent(async |accessor| -> Result<()> {
            let (request, sent) = accessor.with(|mut store| {
                let (request, sent) =
                    p3::Request::from_http(store.data_mut().http().hooks, request);
                (request, Box::pin(sent) as Sent)
            });
            match service.handle(accessor, request).await? {
                Ok(response) => {
                    let response =
                        accessor.with(|mut store| response.into_http(&mut store, sent))?;
                    slot.give::<Error>(Ok(response));
                }
                Err(code) => slot.give(Err(code)),
            }
            // What the guest still does: it writes its body, and perhaps more.
            poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            Ok(())
        })
        .await?
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_task_poll(task: &mut HttpTask, ending: &mut Ending) -> i32 {
    let Some(run) = &mut task.run else {
        return DONE;
    };
    let _runtime = runtime().enter();
    task.alarm.begin_poll();
    let polled = run.as_mut().poll(&mut Context::from_waker(&task.run_waker));
    match polled {
        Poll::Pending => {
            task.look_at_answer();
            if task.alarm.set(Phase::Polling, Phase::Idle) { WAITING } else { RUNNABLE }
        }
        Poll::Ready((result, store)) => {
            task.settle(result.is_ok());
            drop(store);
            task.run = None;
            task.alarm.begin_poll();
            task.alarm.set(Phase::Polling, Phase::Idle);
            *ending = describe(result);
            DONE
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_task_stop(task: &mut HttpTask) {
    if task.run.is_some() {
        task.settle(false);
        let _runtime = runtime().enter();
        task.run = None;
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_task_delete(task: Box<HttpTask>) {
    task.alarm.disconnect();
    let _runtime = runtime().enter();
    drop(task);
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_body_room(task: &HttpTask) -> usize {
    task.inbox.as_ref().map_or(usize::MAX, |inbox| inbox.room())
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_is_body_dropped(task: &HttpTask) -> bool {
    task.inbox.as_ref().is_none_or(|inbox| inbox.is_dropped())
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_feed(task: &HttpTask, bytes: *const u8, size: usize) -> usize {
    task.inbox.as_ref().map_or(size, |inbox| inbox.feed(unsafe { slice(bytes, size) }))
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_finish_body(
    task: &HttpTask,
    trailers: *const Field,
    count: usize,
) {
    let Some(inbox) = &task.inbox else {
        return;
    };
    let fields = unsafe { slice(trailers, count) };
    let trailers = headers_of(fields, &mut 0).ok().filter(|trailers| !trailers.is_empty());
    inbox.end(Ok(trailers));
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_fail_body(task: &HttpTask, why: i32) {
    let Some(inbox) = &task.inbox else {
        return;
    };
    inbox.end(Err(match why {
        TOO_LARGE => Error::HttpRequestBodySize(None),
        TIMED_OUT => Error::ConnectionReadTimeout,
        MALFORMED => Error::HttpProtocolError,
        _ => Error::ConnectionTerminated,
    }));
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_answer(task: &HttpTask, code: &mut Bytes) -> i32 {
    if task.body.is_some() {
        return HEAD;
    }
    match &*task.slot.answer() {
        Answer::Pending | Answer::Response(_) => PENDING,
        Answer::None => NONE,
        Answer::ErrorCode(name) => {
            *code = name.clone().into();
            ERROR_CODE
        }
        Answer::Dropped => DROPPED,
    }
}

type Visit = unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const c_char, usize);

fn visit_all(headers: &HeaderMap, context: *mut c_void, visit: Visit) {
    for (name, value) in headers {
        let (name, value) = (name.as_str(), value.as_bytes());
        let (name_data, value_data) = (name.as_ptr().cast(), value.as_ptr().cast());
        unsafe { visit(context, name_data, name.len(), value_data, value.len()) };
    }
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_take_head(
    task: &mut HttpTask,
    context: *mut c_void,
    visit: Visit,
) -> i32 {
    let Some((status, headers)) = task.head.take() else {
        return 0;
    };
    visit_all(&headers, context, visit);
    i32::from(status.as_u16())
}

type Sink = unsafe extern "C" fn(*mut c_void, *const u8, usize);

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_take_body(
    task: &mut HttpTask,
    bytes_max: usize,
    context: *mut c_void,
    sink: Sink,
    error: &mut Bytes,
) -> i32 {
    let mut room = bytes_max;
    while room > 0 {
        let Some(body) = &mut task.body else {
            return MORE;
        };
        // A waker is made only where there is something to wait for.
        let mut polled = body.poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_pending() {
            let waker = task.body_waker().clone();
            let body = task.body.as_mut().expect("was there");
            polled = body.poll(&mut Context::from_waker(&waker));
        }
        match polled {
            Poll::Pending => return MORE,
            Poll::Ready(Piece::End) => return END,
            Poll::Ready(Piece::Failed(why)) => {
                *error = why.into();
                return BROKEN;
            }
            Poll::Ready(Piece::Bytes(mut bytes)) => {
                if bytes.len() > room {
                    let rest = bytes.split_off(room);
                    task.body.as_mut().expect("was there").put_back(rest);
                }
                room -= bytes.len();
                unsafe { sink(context, bytes.as_ptr(), bytes.len()) };
            }
        }
    }
    MORE
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_trailers(task: &HttpTask, context: *mut c_void, visit: Visit) {
    if let Some(trailers) = task.body.as_ref().and_then(|body| body.trailers.as_ref()) {
        visit_all(trailers, context, visit);
    }
}
