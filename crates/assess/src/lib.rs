//! What sightings mean together: correlation, roles and advice. Pure.
