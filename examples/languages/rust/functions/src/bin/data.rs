//! The `data` contract: JSON in the environment, JSON on stdout. An error is no JSON, so that the
//! client is told 400; what it says of itself is in the function's log.
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Order {
    item: String,
    count: u32,
    price: f64,
}

#[derive(Serialize)]
struct Bill {
    item: String,
    total: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let order: Order = serde_json::from_str(&std::env::var("DATA")?)?;
    if order.count == 0 {
        return Err("nothing is ordered".into());
    }
    let total = f64::from(order.count) * order.price;
    println!("{}", serde_json::to_string(&Bill { item: order.item, total })?);
    Ok(())
}
