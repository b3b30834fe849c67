package testkit

import "time"

// Patience is how long a test waits for what has to happen. It is there for what never comes, and is long because a
// machine that has other work is no failure.
const Patience = 5 * time.Minute
