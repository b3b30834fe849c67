package workflows

// GoalState is what a run carries over when it continues as new.
type GoalState struct{}
