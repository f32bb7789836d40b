//! The `wws` contract: a JSON document on stdin, another on stdout. Counts its calls by name, in the
//! function's store.
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    kv: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Response {
    data: String,
    status: u16,
    headers: BTreeMap<&'static str, &'static str>,
    kv: BTreeMap<String, String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Request { method, params, mut kv } = serde_json::from_reader(std::io::stdin())?;
    let name = params.get("name").ok_or("the route has no parameter 'name'")?;
    let mut count: u64 = kv.get(name).map_or(Ok(0), |count| count.parse())?;
    if method == "POST" {
        count += 1;
        kv.insert(name.clone(), count.to_string());
    }
    let headers = BTreeMap::from([("content-type", "text/plain")]);
    let status = if count == 0 { 404 } else { 200 };
    let data = format!("{name}: {count}\n");
    serde_json::to_writer(std::io::stdout(), &Response { data, status, headers, kv })?;
    Ok(())
}
