//! Correlation rules: matches of other rules, counted over time and by group.
//!
//! `event_count`, `value_count`, `temporal`, `temporal_ordered` and the sums and percentiles of `rsigma-eval`, over sliding,
//! tumbling and session windows. Windows are bounded in groups and in events a group; one [`Correlator`] sees the matches
//! of all threads, because what is counted together has to come together.

use rsigma_eval::{CorrelationConfig, CorrelationEngine, EvaluationResult, TimestampFallback};
use rsigma_parser::{CorrelationRule, SigmaRule};
use shieldwall_model::limits::{SIGMA_GROUP_EVENTS_MAX, SIGMA_GROUPS_MAX};
use shieldwall_model::time::Timestamp;

use crate::extract::View;
use crate::load::{From, LoadError, Refused};
use crate::rules::RuleInfo;

/// The correlation rules and what they refer to.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    correlations: Vec<From<CorrelationRule>>,
    /// Rules that a correlation refers to.
    referred: Vec<SigmaRule>,
    /// By compiled rule: whether a correlation refers to it.
    pub(crate) fed: Vec<bool>,
    /// By compiled rule: whether it is reported only through a correlation (`generate: false`, the default).
    pub(crate) silent: Vec<bool>,
}

impl Plan {
    /// Keeps the correlations that refer to nothing that is missing.
    pub(crate) fn new(
        rules: &[SigmaRule],
        correlations: Vec<From<CorrelationRule>>,
        refused: &mut Vec<Refused>,
    ) -> Result<Self, LoadError> {
        let named = |rule: &SigmaRule, name: &str| {
            rule.id.as_deref() == Some(name) || rule.name.as_deref() == Some(name)
        };
        let mut plan =
            Self { fed: vec![false; rules.len()], silent: vec![false; rules.len()], ..Self::default() };
        let names: Vec<String> = correlations
            .iter()
            .flat_map(|correlation| [correlation.what.id.clone(), correlation.what.name.clone()])
            .flatten()
            .collect();
        for correlation in correlations {
            let missing = correlation
                .what
                .rules
                .iter()
                .find(|name| !rules.iter().any(|rule| named(rule, name)) && !names.contains(name));
            if let Some(name) = missing {
                refused.push(Refused {
                    place: correlation.place,
                    title: Some(correlation.what.title),
                    code: "sigma.rule.refers",
                    reason: format!("it refers to the rule {name}, which is not among those loaded"),
                    taken: false,
                });
                continue;
            }
            let mut correlation = correlation;
            // Attributes of the evaluator's own could lift the bounds.
            correlation.what.custom_attributes.clear();
            plan.correlations.push(correlation);
        }
        for (number, rule) in rules.iter().enumerate() {
            let mut referring = plan
                .correlations
                .iter()
                .filter(|correlation| correlation.what.rules.iter().any(|name| named(rule, name)))
                .peekable();
            if referring.peek().is_none() {
                continue;
            }
            let silent = referring.all(|correlation| !correlation.what.generate);
            if let (Some(fed), Some(quiet)) = (plan.fed.get_mut(number), plan.silent.get_mut(number)) {
                (*fed, *quiet) = (true, silent);
            }
            plan.referred.push(SigmaRule { custom_attributes: Default::default(), ..rule.clone() });
        }
        // Circles are found here and not when the first event comes.
        plan.engine().map_err(|reason| LoadError::Correlations { reason })?;
        Ok(plan)
    }

    pub(crate) fn correlations(&self) -> impl Iterator<Item = &CorrelationRule> {
        self.correlations.iter().map(|correlation| &correlation.what)
    }

    /// What matches say of these rules.
    pub(crate) fn infos(&self) -> impl Iterator<Item = RuleInfo> {
        self.correlations.iter().map(|From { place, what }| RuleInfo {
            id: what.id.clone(),
            title: what.title.clone(),
            level: what.level.as_ref().map(|level| level.as_str()),
            tags: what.tags.clone(),
            place: place.clone(),
            correlation: true,
        })
    }

    fn engine(&self) -> Result<CorrelationEngine, String> {
        let mut engine = CorrelationEngine::new(CorrelationConfig {
            timestamp_fallback: TimestampFallback::Skip,
            max_state_entries: SIGMA_GROUPS_MAX,
            max_group_entries: Some(SIGMA_GROUP_EVENTS_MAX),
            ..CorrelationConfig::default()
        });
        let collection = rsigma_parser::SigmaCollection {
            rules: self.referred.clone(),
            correlations: self.correlations().cloned().collect(),
            filters: Vec::new(),
            errors: Vec::new(),
        };
        engine.add_collection(&collection).map_err(|error| error.to_string())?;
        Ok(engine)
    }
}

/// What a correlation rule found.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlated {
    /// The fields that events were grouped by, and what stood in them.
    pub group: Vec<(String, String)>,
    /// How many events, distinct values, or what the rule counts.
    pub value: f64,
    /// The window in seconds.
    pub window_seconds: u64,
}

/// Keeps the windows of correlation rules.
pub struct Correlator {
    engine: CorrelationEngine,
    untimed: u64,
}

impl std::fmt::Debug for Correlator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Correlator").field("untimed", &self.untimed).finish_non_exhaustive()
    }
}

impl Correlator {
    /// Empty windows; nothing where there are no correlation rules.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let wanted = !plan.correlations.is_empty();
        let engine = plan.engine().ok().filter(|_| wanted)?;
        Some(Self { engine, untimed: 0 })
    }

    /// Matches that were not counted because neither the event nor its reader said when it was.
    pub fn untimed(&self) -> u64 {
        self.untimed
    }

    /// Groups that windows are kept for.
    pub fn groups(&self) -> usize {
        self.engine.state_count()
    }

    /// Counts the matches of one event; hands out what that completes.
    pub(crate) fn feed(
        &mut self,
        event: &View<'_>,
        matches: Vec<EvaluationResult>,
        at: Option<Timestamp>,
    ) -> Vec<EvaluationResult> {
        let Some(at) = at else {
            self.untimed += matches.len() as u64;
            return Vec::new();
        };
        let mut results = self.engine.process_with_detections(event, matches, at.as_seconds());
        results.retain(EvaluationResult::is_correlation);
        results
    }
}
