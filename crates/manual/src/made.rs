/// Chapters that are made from code when they are asked for, and so are never out of date.
const MADE: &[&str] = &[
    "reference/configuration.md",
    "reference/commands.md",
    "reference/api.md",
    "reference/metrics.md",
    "reference/vectors.md",
    "reference/verdicts.md",
    "reference/profiles.md",
    "reference/roles.md",
];
