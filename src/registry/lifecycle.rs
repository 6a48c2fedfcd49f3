//! The stages in the life of a plugin's version.

use std::fmt;
use std::str::FromStr;

use crate::ids::PluginName;

/// A stage. A version goes from left to right, and may be brought back to `active` by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It asks for more than the version that runs was granted, and waits for a person.
    Staged,
    /// It runs.
    Active,
    /// It runs, and whoever calls it is told what to use in its place.
    Deprecated,
    /// It does not run any more.
    Sunset,
    /// It was removed; its name and version stay taken by what it was.
    Removed,
}

impl Stage {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Sunset => "sunset",
            Self::Removed => "removed",
        }
    }

    /// True where a version of this stage is called.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Self::Active | Self::Deprecated)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [
            Self::Staged,
            Self::Active,
            Self::Deprecated,
            Self::Sunset,
            Self::Removed,
        ]
        .into_iter()
        .find(|stage| stage.word() == text)
        .ok_or_else(|| format!("there is no stage {text:?}"))
    }
}

/// Where a version stands, and what is said about leaving it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// The stage that was set.
    pub stage: Stage,
    /// The day it was deprecated.
    pub deprecated_on: Option<Day>,
    /// The day from which it does not run any more.
    pub sunset_on: Option<Day>,
    /// The plugin to use in its place.
    pub replacement: Option<PluginName>,
    /// How to move to that.
    pub note: Option<String>,
}

impl Lifecycle {
    /// At the beginning of a life.
    #[must_use]
    pub fn new(stage: Stage) -> Self {
        Self {
            stage,
            deprecated_on: None,
            sunset_on: None,
            replacement: None,
            note: None,
        }
    }

    /// The stage on a day: a deprecated version is gone once its day has come.
    #[must_use]
    pub fn on(&self, today: Day) -> Stage {
        match (self.stage, self.sunset_on) {
            (Stage::Deprecated, Some(day)) if day <= today => Stage::Sunset,
            (stage, _) => stage,
        }
    }

    /// What a caller is told, as the rest of a sentence that begins with the name and version.
    #[must_use]
    pub fn advice(&self) -> String {
        let mut advice = match (self.stage, self.sunset_on) {
            (Stage::Deprecated, Some(day)) => format!("is deprecated and runs until {day}"),
            (stage, _) => format!("is {stage}"),
        };
        if let Some(replacement) = &self.replacement {
            advice.push_str(&format!("; use {replacement}"));
        }
        if let Some(note) = &self.note {
            advice.push_str(&format!(" ({note})"));
        }
        advice
    }
}

/// A day of the Gregorian calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The day that holds this moment, in milliseconds since 1970.
    ///
    /// The algorithm is `civil_from_days` of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    #[must_use]
    pub fn of_ms(ms: i64) -> Self {
        let days = ms.div_euclid(86_400_000) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    fn days_in(year: u16, month: u8) -> u8 {
        match month {
            2 if year.is_multiple_of(4)
                && (!year.is_multiple_of(100) || year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("expected a day such as 2027-01-31, found {text:?}");
        let mut parts = text.split('-');
        let mut part = |length: usize| -> Result<u16, String> {
            let part = parts.next().ok_or_else(fault)?;
            if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(fault());
            }
            part.parse().map_err(|_| fault())
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let narrow = |number: u16| u8::try_from(number).map_err(|_| fault());
        let (month, day) = (narrow(month)?, narrow(day)?);
        let is_day = (1..=12).contains(&month) && (1..=Self::days_in(year, month)).contains(&day);
        if parts.next().is_some() || !is_day {
            return Err(fault());
        }
        Ok(Self { year, month, day })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn days_are_read_and_written() {
        for text in ["2026-11-21", "2024-02-29", "1970-01-01"] {
            assert_eq!(day(text).to_string(), text);
        }
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "26-01-01",
            "2026-01-01-1",
            "",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert!(day("2026-11-21") < day("2026-12-01"));
    }

    #[test]
    fn moments_fall_on_days() {
        assert_eq!(Day::of_ms(0), day("1970-01-01"));
        assert_eq!(Day::of_ms(-1), day("1969-12-31"));
        assert_eq!(Day::of_ms(951_782_400_000), day("2000-02-29"));
        assert_eq!(Day::of_ms(1_795_219_200_000), day("2026-11-21"));
    }

    #[test]
    fn a_deprecated_version_is_gone_once_its_day_has_come() {
        let mut life = Lifecycle::new(Stage::Deprecated);
        life.sunset_on = Some(day("2026-11-21"));
        assert_eq!(life.on(day("2026-11-20")), Stage::Deprecated);
        assert_eq!(life.on(day("2026-11-21")), Stage::Sunset);
        life.stage = Stage::Active;
        assert_eq!(life.on(day("2026-11-22")), Stage::Active);
    }
}
