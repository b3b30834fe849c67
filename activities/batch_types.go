package activities

import "github.com/convilyn/convilyn-temporal/manifest"

// What a batch's histories hold of its files on disk.
type (
	BatchSpec    = manifest.Spec
	BatchPlan    = manifest.Plan
	BatchItem    = manifest.Item
	BatchEntry   = manifest.Entry
	BatchFault   = manifest.Fault
	BatchSummary = manifest.Summary
	// Output is one file that a run has made.
	Output = manifest.Output
)
