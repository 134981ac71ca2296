//! Pagination as a stream: the next page is fetched when somebody asks for its items.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use wakering::stream::{Stream, Yielder, generate};
use wakering::time::sleep;

const ITEMS: usize = 250;

/// What a server would answer.
async fn fetch_page(page: usize, per_page: usize) -> Vec<usize> {
    println!("GET /items?page={page}&per_page={per_page}");
    sleep(Duration::from_millis(10)).await;
    (0..ITEMS).skip((page - 1) * per_page).take(per_page).collect()
}

fn paginated_fetch(per_page: usize) -> impl Stream<Item = Vec<usize>> {
    generate(async move |pages: &Yielder<Vec<usize>>| {
        for page in 1.. {
            let items = fetch_page(page, per_page).await;
            if items.is_empty() {
                return;
            }
            pages.emit(items).await;
        }
    })
}

#[wakering::main]
async fn main() {
    let mut pages = pin!(paginated_fetch(100));
    let mut total = 0;
    while let Some(items) = pages.next().await {
        total += items.len();
        println!("{total} items so far");
    }
    println!("Total: {total}");
}
