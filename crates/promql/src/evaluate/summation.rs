//! Sums and means that lose no small addends: Kahan's summation with Neumaier's improvement.

/// A running sum with its compensation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) sum: f64,
    pub(super) compensation: f64,
}

impl Sum {
    pub(super) fn new(sum: f64, compensation: f64) -> Self {
        Self { sum, compensation }
    }

    pub(super) fn add(self, addend: f64) -> Self {
        let sum = self.sum + addend;
        let compensation = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= addend.abs() {
            self.compensation + ((self.sum - sum) + addend)
        } else {
            self.compensation + ((addend - sum) + self.sum)
        };
        Self { sum, compensation }
    }

    /// The sum with what was lost on the way.
    pub(super) fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

/// A running mean: a sum until that overflows, from there on a mean that is carried along.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    count: f64,
    /// The sum, or the mean once it is incremental.
    running: Sum,
    incremental: bool,
}

impl Mean {
    pub(super) fn new(first: f64) -> Self {
        Self {
            count: 1.0,
            running: Sum::new(first, 0.0),
            incremental: false,
        }
    }

    pub(super) fn add(&mut self, value: f64) {
        let before = self.count;
        self.count += 1.0;
        if !self.incremental {
            let sum = self.running.add(value);
            if !sum.sum.is_infinite() {
                self.running = sum;
                return;
            }
            self.incremental = true;
            self.running = Sum::new(
                self.running.sum / before,
                self.running.compensation / before,
            );
        }
        let share = before / self.count;
        let scaled = Sum::new(share * self.running.sum, share * self.running.compensation);
        self.running = scaled.add(value / self.count);
    }

    pub(super) fn value(&self) -> f64 {
        if self.incremental {
            self.running.total()
        } else {
            self.running.sum / self.count + self.running.compensation / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_addends_survive_large_ones() {
        let values = [1.0, 1e100, 1.0, -1e100];
        let sum = values
            .iter()
            .fold(Sum::default(), |sum, value| sum.add(*value));
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn a_mean_does_not_overflow_where_its_sum_would() {
        let mut mean = Mean::new(f64::MAX);
        mean.add(f64::MAX);
        assert_eq!(mean.value(), f64::MAX);
    }
}
