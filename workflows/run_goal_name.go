package workflows

// RunGoalName is the workflow's type.
const RunGoalName = "RunGoal"
