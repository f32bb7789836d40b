//! A component's instance, and how it answers one request after another.

use crate::answer::{Outparam, Slot};
use crate::component::ComponentGuest;
use crate::http_spare::Turn;
use crate::snapshot::ComponentBuild;
use http::{Request, uri};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use wasmtime::component::Accessor;
use wasmtime::{Result, Store};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p3::{
    self,
    bindings::{Service, ServicePre},
};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

/// `fb_http_instance`: one that has answered a request, and can answer another.
pub struct HttpInstance {
    pub store: Store<ComponentGuest>,
    pub service: Service,
}

/// Who answers: a fresh instance of either standard, or one that has answered before.
pub enum Callee {
    Second(&'static ProxyPre<ComponentGuest>),
    Third(&'static ServicePre<ComponentGuest>),
    Again(Service),
    /// One of the second standard that others may have had before, and may have after.
    InTurn(Turn),
    /// A fresh instance, of which a snapshot is made once it has answered.
    Leaving(&'static ProxyPre<ComponentGuest>, &'static ComponentBuild),
}

impl Callee {
    /// The same for the run that leaves the snapshot of `build`, which is of the second standard.
    pub fn leaving(self, build: &'static ComponentBuild) -> Callee {
        match self {
            Callee::Second(pre) => Callee::Leaving(pre, build),
            other => other,
        }
    }
}

/// How the run has ended: with what can answer again, if it can. The store is gone where the instance was
/// left to others.
pub type Ended = (Result<Option<Service>>, Option<Store<ComponentGuest>>);
pub type Run = Pin<Box<dyn Future<Output = Ended>>>;

/// The run that answers a request. Nothing of it happens before the first poll.
pub fn answer(
    store: Store<ComponentGuest>,
    callee: Callee,
    request: Request<WasiBody>,
    slot: Slot,
) -> Run {
    match callee {
        Callee::Second(pre) => Box::pin(whole(store, async move |store| {
            let proxy = pre.instantiate_async(&mut *store).await?;
            answer_2(store, &proxy, request, slot).await.map(|()| None)
        })),
        Callee::InTurn(turn) => Box::pin(answer_in_turn(store, turn, request, slot)),
        Callee::Leaving(pre, build) => Box::pin(whole(store, async move |store| {
            let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
            let proxy = Proxy::new(&mut *store, &instance)?;
            answer_2(store, &proxy, request, slot).await?;
            build.keep(store, &instance).await.map(|()| None)
        })),
        Callee::Third(pre) => Box::pin(whole(store, async move |store| {
            let service = pre.instantiate_async(&mut *store).await?;
            answer_3(store, service, request, slot).await
        })),
        Callee::Again(service) => {
            Box::pin(whole(store, async move |store| answer_3(store, service, request, slot).await))
        }
    }
}

/// A run whose store is still there when it has ended.
async fn whole(
    store: Store<ComponentGuest>,
    body: impl AsyncFnOnce(&mut Store<ComponentGuest>) -> Result<Option<Service>>,
) -> Ended {
    let (result, store) = run(store, body).await;
    (result, Some(store))
}

async fn answer_in_turn(
    store: Store<ComponentGuest>,
    mut turn: Turn,
    request: Request<WasiBody>,
    slot: Slot,
) -> Ended {
    let (result, store) = run(store, async |store| {
        let instance = turn.instance(store).await?;
        answer_2(store, &instance.entry.proxy, request, slot).await?;
        Ok(instance)
    })
    .await;
    match result {
        Ok(instance) => {
            turn.leave(store, instance).await;
            (Ok(None), None)
        }
        Err(error) => (Err(error), Some(store)),
    }
}

/// One run in a store, which outlives what happens in it.
pub async fn run<T>(
    mut store: Store<ComponentGuest>,
    body: impl AsyncFnOnce(&mut Store<ComponentGuest>) -> Result<T>,
) -> (Result<T>, Store<ComponentGuest>) {
    store.set_epoch_deadline(1);
    let result = body(&mut store).await;
    (result, store)
}

/// Has the host do what it can do at once of what it still has to do for a guest that has ended: hand
/// on what the guest has written, and that it will write no more.
pub fn catch_up(store: &mut Store<ComponentGuest>) {
    let run = pin!(store.run_concurrent(async |_: &Accessor<_>| pending::<()>().await));
    let _ = run.poll(&mut Context::from_waker(Waker::noop()));
}

async fn answer_2(
    store: &mut Store<ComponentGuest>,
    proxy: &Proxy,
    request: Request<WasiBody>,
    slot: Slot,
) -> Result<()> {
    let is_https = request.uri().scheme() == Some(&uri::Scheme::HTTPS);
    let scheme = if is_https { Scheme::Https } else { Scheme::Http };
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
    service: Service,
    request: Request<WasiBody>,
    slot: Slot,
) -> Result<Option<Service>> {
    let is_callable = store
        .run_concurrent(async |accessor| -> Result<bool> {
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
            // It may have said that it takes no more calls.
            let handle = *service.wasi_http_handler().func_handle().func();
            let is_callable = poll_fn(|context| {
                Poll::Ready(accessor.poll_ready_for_concurrent_call(handle, context).is_ready())
            });
            Ok(is_callable.await)
        })
        .await??;
    Ok(is_callable.then_some(service))
}
