//! One request to a component, polled by the host.

use crate::alarm::{Alarm, BodyAlarm, Phase};
use crate::answer::{Answer, Slot};
use crate::component::{ComponentGuest, Role, new_store};
use crate::files::runtime;
use crate::host::GuestPointer;
use crate::http_body::{Inbox, Piece, RequestBody, ResponseBody};
use crate::http_instance::{Callee, HttpInstance, Run, answer, catch_up};
use crate::http_request::{Field, Head, headers_of, request_of};
use crate::http_spare::Turn;
use crate::program::{Code, Program};
use crate::snapshot::Snapshot;
use crate::spares::{Spares, SparesPointer};
use crate::surroundings::Shared;
use crate::task::{Ending, HostWaker, Limiter, Limits, Usage, describe};
use crate::{Bytes, give, slice};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasmtime::{Result, Store, bail};
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p3::bindings::Service;

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

/// `fb_http_task`.
pub struct HttpTask {
    run: Option<Run>,
    keeps_instance: bool,
    /// Of a run that has ended well.
    instance: Option<Box<HttpInstance>>,
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
    fn new(head: &Head, waker: Option<&HostWaker>) -> Box<HttpTask> {
        let alarm = Arc::new(Alarm::new(waker.copied()));
        Box::new(HttpTask {
            run: None,
            keeps_instance: false,
            instance: None,
            run_waker: alarm.clone().into(),
            alarm,
            body_waker: None,
            inbox: None,
            slot: Slot::default(),
            head: None,
            body: None,
            is_head_request: unsafe { head.method.bytes() } == b"HEAD",
        })
    }

    fn begin(
        &mut self,
        head: &Head,
        mut store: Store<ComponentGuest>,
        callee: Callee,
    ) -> Result<()> {
        let body = if head.has_body {
            let inbox = Arc::new(Inbox::default());
            self.inbox = Some(inbox.clone());
            let host = self.body_waker().clone();
            RequestBody { inbox, host }.boxed_unsync()
        } else {
            Empty::new().map_err(|never| match never {}).boxed_unsync()
        };
        let request = request_of(head, body, &mut store.data_mut().hooks.depth)?;
        self.run = Some(answer(store, callee, request, self.slot.clone()));
        Ok(())
    }

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

    /// The run has ended well. Its instance stays when the next request would find nothing of this one
    /// that is under way.
    fn keep_instance(&mut self, store: Option<Store<ComponentGuest>>, service: Option<Service>) {
        let (true, Some(service), Some(mut store)) = (self.keeps_instance, service, store) else {
            return;
        };
        if let Some(body) = &mut self.body
            && !body.gather()
        {
            catch_up(&mut store);
            // What is still not all there may need the instance's end.
            if !body.gather() {
                return;
            }
        }
        if store.data().hooks.is_sending() {
            return;
        }
        if let Some(inbox) = &self.inbox {
            inbox.close();
        }
        self.instance = Some(Box::new(HttpInstance { store, service }));
    }
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_task_new(
    program: &'static Program,
    spares: *mut Spares,
    head: &Head,
    guest: *mut c_void,
    limits: &Limits,
    usage: *mut Usage,
    surroundings: Option<&Shared>,
    waker: Option<&HostWaker>,
    error: &mut Bytes,
) -> Option<Box<HttpTask>> {
    let mut task = HttpTask::new(head, waker);
    let limiter = Limiter::new(*limits, usage);
    let spares = SparesPointer::of(spares);
    let begun = store_for(program, GuestPointer(guest), limiter, surroundings, spares)
        .and_then(|(store, callee)| task.begin(head, store, callee));
    give(begun, error)?;
    Some(task)
}

/// The run that leaves a component's snapshot, or a plain one.
///
/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_snapshot_request(
    snapshot: &'static Snapshot,
    is_build: bool,
    head: &Head,
    guest: *mut c_void,
    limits: &Limits,
    usage: *mut Usage,
    surroundings: Option<&Shared>,
    waker: Option<&HostWaker>,
    error: &mut Bytes,
) -> Option<Box<HttpTask>> {
    let mut task = HttpTask::new(head, waker);
    let mut begin = || {
        let Snapshot::Component(build) = snapshot else {
            bail!("it is a module, not a component");
        };
        let limiter = Limiter::new(*limits, usage);
        let (store, callee) =
            store_for(&build.program, GuestPointer(guest), limiter, surroundings, None)?;
        let callee = if is_build { callee.leaving(build) } else { callee };
        task.begin(head, store, callee)
    };
    give(begin(), error)?;
    Some(task)
}

/// A store, and what is to be called in it.
fn store_for(
    program: &'static Program,
    pointer: GuestPointer,
    mut limiter: Limiter,
    surroundings: Option<&Shared>,
    spares: Option<SparesPointer>,
) -> Result<(Store<ComponentGuest>, Callee)> {
    let Code::Component(component) = &program.code else {
        bail!("it is a module, not a component");
    };
    let callee = match &component.role {
        Role::Http2(pre) => Callee::Second(pre),
        Role::Http3(pre) => Callee::Third(pre),
        Role::Command(_) | Role::Other => bail!("it answers no HTTP requests"),
    };
    let surroundings = surroundings.map(|shared| shared.0.clone()).unwrap_or_default();
    let fresh = |limiter, surroundings, wasi| {
        let mut guest = ComponentGuest::new(pointer, program.host, limiter, surroundings, wasi);
        guest.is_resumed = component.is_resumed;
        new_store(program, guest)
    };
    if let (Callee::Second(pre), Some(renewal), Some(spares)) =
        (&callee, &component.renewal, spares)
        && !surroundings.has_mounts()
        && program.may_renew()
    {
        let mut turn = Turn::new(program, pre, renewal, spares, limiter.limits());
        let store = match turn.take(&mut limiter) {
            Some(mut store) => {
                store.data_mut().begin(pointer, limiter, surroundings);
                store
            }
            None => fresh(limiter, surroundings, None),
        };
        return Ok((store, Callee::InTurn(turn)));
    }
    let wasi = if surroundings.has_mounts() {
        Some(Box::new(surroundings.context(program.host, pointer, component.is_resumed)?))
    } else {
        None
    };
    Ok((fresh(limiter, surroundings, wasi), callee))
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_http_task_again(
    instance: Box<HttpInstance>,
    head: &Head,
    waker: Option<&HostWaker>,
    error: &mut Bytes,
) -> Option<Box<HttpTask>> {
    let _runtime = runtime().enter();
    let mut task = HttpTask::new(head, waker);
    let HttpInstance { mut store, service } = *instance;
    store.data_mut().hooks.depth = 0;
    give(task.begin(head, store, Callee::Again(service)), error)?;
    Some(task)
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_task_keep(task: &mut HttpTask) {
    task.keeps_instance = true;
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_take_instance(task: &mut HttpTask) -> Option<Box<HttpInstance>> {
    task.instance.take()
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_http_instance_delete(instance: Box<HttpInstance>) {
    let _runtime = runtime().enter();
    drop(instance);
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
            let result = match result {
                Ok(service) => {
                    task.keep_instance(store, service);
                    Ok(())
                }
                Err(error) => {
                    drop(store);
                    Err(error)
                }
            };
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
