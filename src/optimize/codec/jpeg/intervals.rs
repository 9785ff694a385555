//! Restart intervals (ITU-T T.81, B.2.4.4 and E.2.4), and what is lost where their data ends early.
//!
//! Damage is dealt with as libjpeg does it, which is what browsers show: the MCU in which an interval's data
//! ends is decoded from zeros, those after it stay as they are, and the next restart marker is the place
//! to go on from.

use super::source::{Ending, Source};

/// The data of a scan, interval by interval; its units are MCUs, or blocks.
pub(super) struct Intervals<'a> {
    pub source: Source<'a>,
    /// Units of an interval; 0 where there are no restart markers.
    length: usize,
    left: usize,
    restarts: usize,
    /// The interval's data has ended.
    dry: bool,
    pub tally: Tally,
}

/// Units for which no code was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Whose data is lost, while more of the image follows.
    lost: usize,
    /// That come behind the end of the image's data.
    missing: usize,
    /// The file ended, without a marker.
    cut: bool,
}

impl Tally {
    /// The share of `total` units for which no code was read.
    pub fn share(&self, total: usize) -> f64 {
        (self.lost + self.missing) as f64 / total.max(1) as f64
    }

    /// Whether the file ended before its image did: without a marker for that, or with more missing than
    /// damage may take.
    pub fn is_truncated(&self, total: usize, max_damage: f64) -> bool {
        self.cut || self.missing as f64 > total as f64 * max_damage
    }

    /// Whether there is nothing but the first `units`.
    pub fn is_nothing(&self, total: usize, units: usize) -> bool {
        self.missing + units >= total && self.missing > 0
    }
}

impl<'a> Intervals<'a> {
    pub fn new(source: Source<'a>, length: usize) -> Self {
        let left = if length > 0 { length } else { usize::MAX };
        Self {
            source,
            length,
            left,
            restarts: 0,
            dry: false,
            tally: Tally::default(),
        }
    }

    /// Units up to the next restart marker.
    #[inline(always)]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether the data of the interval has ended: what is left of its units has none.
    #[inline(always)]
    pub fn is_dry(&self) -> bool {
        self.dry
    }

    /// Counts units as done, at most [`Intervals::left`].
    #[inline(always)]
    pub fn advance(&mut self, units: usize) {
        self.left -= units.min(self.left);
    }

    /// Passes the restart marker, if one is due; then predictions and runs begin anew.
    #[inline(always)]
    pub fn next(&mut self) -> bool {
        self.left == 0 && self.restart()
    }

    #[inline(never)]
    fn restart(&mut self) -> bool {
        // Up against a marker the flag stays what it is.
        self.dry &= !self.source.restart(self.restarts);
        self.restarts += 1;
        self.left = self.length;
        true
    }

    /// Looks whether the data ended in what was decoded last.
    #[inline(always)]
    pub fn settle(&mut self) {
        if self.source.overrun() {
            self.run_dry();
        }
    }

    #[cold]
    fn run_dry(&mut self) {
        self.dry = true;
        self.tally.cut |= self.source.ending() == Ending::Cut;
    }

    /// Counts units that have no data.
    #[cold]
    pub fn lose(&mut self, units: usize) {
        match self.source.ending() {
            Ending::Marker => self.tally.lost += units,
            Ending::Image => self.tally.missing += units,
            Ending::Cut => {
                self.tally.missing += units;
                self.tally.cut = true;
            }
        }
    }
}
