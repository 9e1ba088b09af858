//! Runs the same work on many pieces on several cores and returns the answers in the order of the
//! pieces. For stateless work that somebody waits for: reading journals, reading messages.

use std::panic::resume_unwind;
use std::thread;

/// Upper limit of threads: the machine has other work, and beyond this the disk is the bottleneck.
const MOST_THREADS: usize = 4;
/// Less work than this (in bytes) is done before a thread has started.
const LEAST: usize = 16 << 10;

/// Calls `work` with each item. `weight` estimates the work of one item, in bytes.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    weight: impl Fn(&T) -> usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let total: usize = items.iter().map(&weight).sum();
    let useful = MOST_THREADS.min(total / LEAST).min(items.len()).max(1);
    // Counting the cores reads several files, and most sessions are too small for a second thread.
    let threads = match useful {
        1 => 1,
        _ => thread::available_parallelism()
            .map_or(1, usize::from)
            .min(useful),
    };
    let mut shares = shares(items, total.div_ceil(threads).max(1), weight);
    let Some(first) = shares.next() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let mut done: Vec<R> = first.iter().map(work).collect();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

/// Groups neighbours to shares of at least `least`.
fn shares<T>(
    items: &[T],
    least: usize,
    weight: impl Fn(&T) -> usize,
) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let whole = rest.iter().position(|item| {
            sum += weight(item);
            least <= sum
        });
        let (share, after) = rest.split_at(whole.map_or(rest.len(), |at| at + 1));
        rest = after;
        (!share.is_empty()).then_some(share)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_the_order_stays() {
        for n in [0, 1, 2, 3, 7, 1000] {
            let items: Vec<usize> = (0..n).collect();
            let big = map(&items, |_| LEAST, |item| item * 2);
            assert_eq!(big, items.iter().map(|item| item * 2).collect::<Vec<_>>());
            assert_eq!(map(&items, |_| 1, |item| *item), items);
        }
    }

    #[test]
    fn the_shares_are_of_like_weight() {
        let items = [5, 1, 1, 1, 1, 1, 5, 5];
        let sums: Vec<usize> = shares(&items, 5, |item| *item)
            .map(|share| share.iter().sum())
            .collect();
        assert_eq!(sums, [5, 5, 5, 5]);
        assert_eq!(shares(&[0usize; 3], 1, |item| *item).count(), 1);
    }
}
