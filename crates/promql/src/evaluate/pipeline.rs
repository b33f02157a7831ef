//! What is computed series by series: from a selector through functions and operators, as one closure for each index.
//!
//! A pipeline knows how many series there are and computes the column of any of them, on any thread. [`drive`] takes
//! the columns one by one in their order, whichever thread computed them:
//!
//! 1. Series are handed out in batches, in order.
//! 2. A thread takes the next batch if it is at most a few ahead of what was consumed, so that memory stays bounded.
//! 3. The caller's thread consumes finished batches in order. So sums are added in one order, and an answer is the same
//!    bit for bit with any number of threads.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::budget::{Budget, Held};
use super::column::Column;
use super::samples::Scratch;
use crate::EvalError;

/// A vector that is computed series by series.
pub(super) struct Pipeline<'p> {
    /// How many series there are at most.
    pub(super) len: usize,
    /// About how much work a series is, in samples.
    pub(super) cost: usize,
    /// The column of a series; none if it has no value at any step.
    pub(super) column: ColumnOf<'p>,
}

/// Computes the column of a series by its index.
pub(super) type ColumnOf<'p> =
    Box<dyn Fn(usize, &mut Scratch) -> Result<Option<Column>, EvalError> + Sync + 'p>;

/// Takes columns one by one.
pub(super) type Consume<'c> = dyn FnMut(Column) -> Result<(), EvalError> + 'c;

/// Series in a batch: enough that handing them out costs nothing, few enough that a batch takes a few milliseconds.
const BATCH: usize = 64;

/// Batches for each thread that may be computed or wait, ahead of what was consumed.
const AHEAD: usize = 4;

/// Less work than so many samples is done before another thread has started.
const PARALLEL_MIN: usize = 400_000;

impl<'p> Pipeline<'p> {
    /// Computes something else from each column.
    pub(super) fn map(
        self,
        change: impl Fn(Column) -> Result<Option<Column>, EvalError> + Sync + 'p,
    ) -> Self {
        let column = self.column;
        Self {
            column: Box::new(move |index, scratch| match column(index, scratch)? {
                Some(column) => change(column),
                None => Ok(None),
            }),
            ..self
        }
    }

    /// Columns that are there already. Each is held until it is taken, and then by who takes it.
    ///
    /// Errors: there is no room for them.
    pub(super) fn of(columns: Vec<Column>, budget: &'p Budget) -> Result<Self, EvalError> {
        let mut waiting = Vec::with_capacity(columns.len());
        for column in columns {
            let mut held = budget.nothing();
            held.add_column(&column)?;
            waiting.push(Mutex::new(Some((column, held))));
        }
        Ok(Self {
            len: waiting.len(),
            cost: 0,
            column: Box::new(move |index, _| {
                Ok(lock(&waiting[index]).take().map(|(column, _)| column))
            }),
        })
    }
}

/// Consumes all columns of a pipeline in their order, computed by up to so many threads.
pub(super) fn drive(
    pipeline: &Pipeline<'_>,
    threads: usize,
    budget: &Budget,
    consume: &mut Consume<'_>,
) -> Result<(), EvalError> {
    let batches = pipeline.len.div_ceil(BATCH);
    let threads = threads.min(batches);
    let work = pipeline.len.saturating_mul(pipeline.cost);
    if threads <= 1 || work < PARALLEL_MIN {
        let mut scratch = Scratch::new(budget);
        for index in 0..pipeline.len {
            if let Some(column) = (pipeline.column)(index, &mut scratch)? {
                consume(column)?;
            }
        }
        return Ok(());
    }
    let exchange = Exchange::new(batches, threads * AHEAD);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _closing = Closing(&exchange);
                let mut scratch = Scratch::new(budget);
                while let Some(batch) = exchange.next() {
                    let columns = compute(pipeline, batch, &mut scratch, budget);
                    exchange.put(batch, columns);
                }
            });
        }
        // However this ends, the others must not wait for it.
        let _closing = Closing(&exchange);
        for batch in 0..batches {
            let Some(columns) = exchange.take(batch) else {
                break;
            };
            // What waits for its turn is held too.
            let (columns, _held) = columns?;
            for column in columns {
                consume(column)?;
            }
        }
        Ok(())
    })
}

fn compute<'b>(
    pipeline: &Pipeline<'_>,
    batch: usize,
    scratch: &mut Scratch,
    budget: &'b Budget,
) -> Computed<'b> {
    let end = ((batch + 1) * BATCH).min(pipeline.len);
    let mut columns = Vec::new();
    for index in batch * BATCH..end {
        if let Some(column) = (pipeline.column)(index, scratch)? {
            columns.push(column);
        }
    }
    let values: usize = columns.iter().map(Column::weight).sum();
    let mut held = budget.nothing();
    held.add_bytes(values.saturating_mul(size_of::<f64>()))?;
    Ok((columns, held))
}

type Computed<'b> = Result<(Vec<Column>, Held<'b>), EvalError>;

/// Where threads hand batches over.
struct Exchange<'b> {
    state: Mutex<State<'b>>,
    changed: Condvar,
    batches: usize,
    ahead: usize,
}

struct State<'b> {
    /// The next batch that nobody has taken up.
    next: usize,
    /// Batches before this one were consumed.
    consumed: usize,
    done: BTreeMap<usize, Computed<'b>>,
    closed: bool,
}

impl<'b> Exchange<'b> {
    fn new(batches: usize, ahead: usize) -> Self {
        Self {
            state: Mutex::new(State {
                next: 0,
                consumed: 0,
                done: BTreeMap::new(),
                closed: false,
            }),
            changed: Condvar::new(),
            batches,
            ahead,
        }
    }

    /// A batch to compute; none if there is nothing left to do.
    fn next(&self) -> Option<usize> {
        let mut state = lock(&self.state);
        loop {
            if state.closed || state.next == self.batches {
                return None;
            }
            if state.next < state.consumed + self.ahead {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.wait(state);
        }
    }

    fn put(&self, batch: usize, columns: Computed<'b>) {
        lock(&self.state).done.insert(batch, columns);
        self.changed.notify_all();
    }

    /// The columns of a batch, as soon as they are there; none if whoever computes has given up.
    fn take(&self, batch: usize) -> Option<Computed<'b>> {
        let mut state = lock(&self.state);
        loop {
            if let Some(columns) = state.done.remove(&batch) {
                state.consumed = batch + 1;
                self.changed.notify_all();
                return Some(columns);
            }
            if state.closed {
                return None;
            }
            state = self.wait(state);
        }
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State<'b>>) -> MutexGuard<'s, State<'b>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}

/// Ends the exchange when the consumer leaves or a thread panics, so that nobody waits for ever.
struct Closing<'e, 'b>(&'e Exchange<'b>);

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        let done = {
            let state = lock(&self.0.state);
            state.next == self.0.batches
        };
        // A thread that ends because all is handed out leaves the others to finish.
        if !done || std::thread::panicking() {
            self.0.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;
    use crate::{Interrupt, Limits, Span};

    fn indices(len: usize) -> Pipeline<'static> {
        Pipeline {
            len,
            cost: PARALLEL_MIN,
            column: Box::new(|index, _| {
                // Every third series has nothing.
                let column = || Column::floats(Labels::empty(), vec![index as f64]);
                Ok((index % 3 != 0).then(column))
            }),
        }
    }

    fn budget() -> Budget {
        let memory = model::Budget::default();
        Budget::new(&Limits::default(), &memory, &Interrupt::new())
    }

    #[test]
    fn columns_come_in_order_from_any_number_of_threads() {
        for len in [0, 1, BATCH, 10 * BATCH + 1] {
            for threads in [1, 2, 7] {
                let mut seen = Vec::new();
                let pipeline = indices(len);
                drive(&pipeline, threads, &budget(), &mut |column| {
                    seen.push(column.values[0] as usize);
                    Ok(())
                })
                .unwrap();
                let expected: Vec<usize> = (0..len).filter(|index| index % 3 != 0).collect();
                assert_eq!(seen, expected, "{len} series, {threads} threads");
            }
        }
    }

    #[test]
    fn the_first_error_in_the_order_of_the_series_ends_it() {
        let pipeline = Pipeline {
            column: Box::new(|index, _| match index {
                900 | 901 => Err(EvalError::execution(Span::default(), format!("at {index}"))),
                _ => Ok(None),
            }),
            ..indices(2_000)
        };
        for threads in [1, 2, 5] {
            let error = drive(&pipeline, threads, &budget(), &mut |_| Ok(())).unwrap_err();
            assert_eq!(error.to_string(), "at 900");
        }
    }

    #[test]
    fn a_consumer_that_gives_up_ends_the_threads() {
        let pipeline = indices(10_000);
        let refused = drive(
            &pipeline,
            4,
            &budget(),
            &mut |column| match column.values[0] < 5.0 {
                true => Ok(()),
                false => Err(EvalError::Cancelled),
            },
        );
        assert!(matches!(refused, Err(EvalError::Cancelled)));
    }
}
