//! Rules that were taken, compiled; threads share them.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::{HashMap, HashSet};
use rsigma_eval::matcher::ExpandPart;
use rsigma_eval::{CompiledDetection, CompiledMatcher, CompiledRule, Engine, compile_rule};
use rsigma_parser::{CorrelationCondition, CorrelationRule, SigmaRule};
use serde::Serialize;
use shieldwall_model::limits::SIGMA_SOURCES_MAX;

use crate::correlate::Plan;
use crate::extract::{Slots, View};
use crate::fields::Fields;
use crate::load::{LoadError, Loader, Refused};
use crate::program::Program;
use crate::source::{Class, Given, Names, Source};

/// What a match says of its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleInfo {
    /// The id its author gave it, a UUID by convention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it detects.
    pub title: String,
    /// informational, low, medium, high or critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
    /// Tags, such as `attack.t1003.001`.
    pub tags: Vec<String>,
    /// The file, or the id of the indicator, that the rule is from.
    pub place: String,
    /// Whether it counts matches of other rules.
    pub correlation: bool,
}

/// Rules, compiled.
#[derive(Debug)]
pub struct Rules {
    pub(crate) fields: Fields,
    pub(crate) names: Names,
    pub(crate) compiled: Vec<CompiledRule>,
    pub(crate) sources: Vec<Source>,
    /// Of the compiled rules, then of the correlation rules.
    pub(crate) infos: Vec<RuleInfo>,
    pub(crate) plan: Plan,
    programs: Mutex<HashMap<Class, Arc<Program>>>,
}

impl Rules {
    pub(crate) fn new(loader: Loader, refused: &mut Vec<Refused>) -> Result<Self, LoadError> {
        let Loader { rules, correlations, filters, .. } = loader;
        let mut kept: Vec<SigmaRule> = Vec::with_capacity(rules.len());
        let mut compiled = Vec::with_capacity(rules.len());
        let mut infos = Vec::with_capacity(rules.len());
        for rule in rules {
            match compile_rule(&rule.what) {
                Ok(done) => {
                    infos.push(info(&done, rule.place));
                    compiled.push(done);
                    kept.push(rule.what);
                }
                Err(error) => refused.push(Refused {
                    place: rule.place,
                    title: Some(rule.what.title),
                    code: "sigma.rule.compile",
                    reason: error.to_string(),
                    taken: false,
                }),
            }
        }
        if !filters.is_empty() {
            // Filters change compiled rules in place; only the engine knows how.
            let mut engine = Engine::new();
            engine.extend_compiled_rules(compiled);
            for filter in &filters {
                if let Err(error) = engine.apply_filter(&filter.what) {
                    refused.push(Refused {
                        place: filter.place.clone(),
                        title: Some(filter.what.title.clone()),
                        code: "sigma.rule.filter",
                        reason: error.to_string(),
                        taken: false,
                    });
                }
            }
            compiled = engine.rules().to_vec();
        }
        let plan = Plan::new(&kept, correlations, refused)?;
        infos.extend(plan.infos());
        let mut asked = HashSet::new();
        compiled.iter().for_each(|rule| fields_of_rule(rule, &mut asked));
        plan.correlations().for_each(|rule| fields_of_correlation(rule, &mut asked));
        let mut asked: Vec<_> = asked.into_iter().collect();
        asked.sort_unstable();
        let fields = Fields::new(asked.iter().map(String::as_str));
        let mut names = Names::default();
        let sources = compiled.iter().map(|rule| names.of_rule(&rule.logsource)).collect();
        Ok(Self { fields, names, compiled, sources, infos, plan, programs: Mutex::default() })
    }

    /// How many rules there are, those that count matches of others included.
    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.infos.is_empty()
    }

    /// The rules.
    pub fn list(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// Where an event comes from, as far as rules tell such sources apart: none if that is not known, several where Sigma
    /// has several names for it.
    pub fn sources_of(&self, event: &serde_json::Value, given: &Given) -> Vec<Given> {
        let mut slots = Slots::new(self.fields.len());
        let view = View::of_value(&self.fields, &mut slots, event);
        self.names.describe(self.names.class_of(&view, given))
    }

    /// Bytes the tables made so far take, roughly: they are made for a sort of log source when its first event comes.
    pub fn table_bytes(&self) -> usize {
        let programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.values().map(|program| program.bytes()).sum()
    }

    /// The program for events of a class, and whether it is for this class alone; if not, each of its rules has to be
    /// asked whether it is meant for the event.
    pub(crate) fn program(&self, class: Class) -> (Arc<Program>, bool) {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let exact = programs.len() < SIGMA_SOURCES_MAX || programs.contains_key(&class);
        let class = if exact { class } else { Class::default() };
        let program = programs.entry(class).or_insert_with(|| {
            let meant = self.sources.iter().enumerate().filter(|(_, source)| class.admits(source));
            Arc::new(Program::new(&self.fields, &self.compiled, meant.map(|(number, _)| number)))
        });
        (Arc::clone(program), exact)
    }
}

fn info(rule: &CompiledRule, place: String) -> RuleInfo {
    RuleInfo {
        id: rule.id.clone(),
        title: rule.title.clone(),
        level: rule.level.as_ref().map(|level| level.as_str()),
        tags: rule.tags.clone(),
        place,
        correlation: false,
    }
}

fn fields_of_rule(rule: &CompiledRule, asked: &mut HashSet<String>) {
    rule.detections.values().for_each(|detection| fields_of(detection, asked));
}

fn fields_of(detection: &CompiledDetection, asked: &mut HashSet<String>) {
    match detection {
        CompiledDetection::AllOf(items) => {
            for item in items {
                asked.extend(item.field.clone());
                fields_of_matcher(&item.matcher, asked);
            }
        }
        CompiledDetection::AnyOf(parts) | CompiledDetection::And(parts) => {
            parts.iter().for_each(|part| fields_of(part, asked));
        }
        CompiledDetection::Keywords(_) => {}
        CompiledDetection::ArrayMatch { field, body, .. } => {
            asked.insert(field.clone());
            fields_of(body, asked);
        }
        CompiledDetection::Conditional { named, .. } => {
            named.values().for_each(|part| fields_of(part, asked));
        }
    }
}

fn fields_of_matcher(matcher: &CompiledMatcher, asked: &mut HashSet<String>) {
    match matcher {
        CompiledMatcher::FieldRef { field, .. } => {
            asked.insert(field.clone());
        }
        CompiledMatcher::Expand { template, .. } => {
            for part in template {
                if let ExpandPart::Placeholder(field) = part {
                    asked.insert(field.clone());
                }
            }
        }
        CompiledMatcher::TimestampPart { inner, .. } | CompiledMatcher::Not(inner) => {
            fields_of_matcher(inner, asked);
        }
        CompiledMatcher::AnyOf(children)
        | CompiledMatcher::AllOf(children)
        | CompiledMatcher::CaseInsensitiveGroup { children, .. } => {
            children.iter().for_each(|child| fields_of_matcher(child, asked));
        }
        _ => {}
    }
}

fn fields_of_correlation(rule: &CorrelationRule, asked: &mut HashSet<String>) {
    asked.extend(rule.group_by.iter().cloned());
    for alias in &rule.aliases {
        asked.extend(alias.mapping.values().cloned());
    }
    if let CorrelationCondition::Threshold { field: Some(fields), .. } = &rule.condition {
        asked.extend(fields.iter().cloned());
    }
}
