package sandbox

// Sweep removes what processes that are gone have left.
var Sweep = sweep
