//! Restart intervals (ITU-T T.81, B.2.4.4 and E.2.4), and how entropy-coded data can end.

use super::{error::Error, source::Source};

/// How a run of blocks came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The interval ended first.
    Dry,
    /// The bits are no code, or mean nothing where they are.
    Bad,
}

/// What stands before the next unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A restart marker, which has been passed: predictions and runs begin anew.
    Restart,
    /// The end of the file.
    End,
}

/// The data of a scan, interval by interval; its units are MCUs, or blocks.
pub(super) struct Intervals<'a> {
    pub source: Source<'a>,
    /// Units of an interval; 0 where there are no restart markers.
    length: usize,
    left: usize,
    restarts: usize,
}

impl<'a> Intervals<'a> {
    pub fn new(source: Source<'a>, length: usize) -> Self {
        let left = if length > 0 { length } else { usize::MAX };
        Self {
            source,
            length,
            left,
            restarts: 0,
        }
    }

    /// Units up to the next restart marker.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Counts units as decoded, at most [`Intervals::left`].
    pub fn advance(&mut self, units: usize) {
        self.left -= units.min(self.left);
    }

    /// Passes the restart marker, if one is due.
    pub fn next(&mut self) -> Result<Due, Error> {
        if self.left > 0 {
            return Ok(Due::Nothing);
        }
        if self.source.restart(self.restarts) {
            self.restarts += 1;
            self.left = self.length;
            return Ok(Due::Restart);
        }
        match self.source.at_end_of_file() {
            true => Ok(Due::End),
            false => Err(Error::Damaged(
                "a restart marker is missing or out of order",
            )),
        }
    }

    /// What an outcome means for the file: whether it goes on.
    pub fn settle(&self, outcome: Outcome) -> Result<bool, Error> {
        match outcome {
            Outcome::Done if !self.source.overrun() => Ok(true),
            Outcome::Bad if !self.source.nearly_over() => {
                Err(Error::Damaged("bits that are no symbol here"))
            }
            _ if self.source.at_end_of_file() => Ok(false),
            _ => Err(Error::Damaged("a marker before the end of the blocks")),
        }
    }
}
